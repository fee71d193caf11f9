import { statement } from "../../mixins/knex.ts";
import type { Resources } from "../../mixins/resources.ts";
import type { Planned } from "./jobs.sql.ts";
import { letterId } from "./letter-id.ts";
import { everyonesPage, pageByKinds } from "./letters.sql.ts";
import { leadKey, readOnRecord } from "./on-record.sql.ts";
import { parseLetter, planRedrive, type Rules } from "./plan.ts";
import { messageOf } from "./sweep.ts";

/** Letters that a dry run looks into. */
const looks = 100;

/** What a redrive would do, told of the newest letters it would take. Changes nothing. */
export async function dryRun({ nats, names, databases }: Resources, job: Planned, rules: Rules): Promise<object> {
  const { tenant, filter, patch } = job;
  const knex = databases.of(tenant === "*" ? "" : tenant);
  const limit = Math.min(looks, job.most ?? looks);
  const one = tenant === "*" ? undefined : tenant;
  // Everybody's by stage or error may be rare among the newest: they are looked for as the job will.
  const isPlain = filter.stage === undefined && filter.error === undefined;
  const { rows } = await statement(() =>
    one === undefined && isPlain
      ? everyonesPage(knex, filter, undefined, limit)
      : pageByKinds(knex, one, filter, undefined, limit),
  );
  const onRecord = await readOnRecord(knex, rows);
  const nc = await nats();
  const left: object[] = [];
  await Promise.all(
    rows.map(async (row) => {
      const message = await messageOf({ nc, names }, row);
      const letter = message && parseLetter(message.data);
      const plan = planRedrive(letter, onRecord.get(leadKey(row)), patch, rules);
      if (plan.kind === "merged") left.push({ id: letterId(row), why: plan.kind });
      else if (plan.kind === "stay")
        left.push({ id: letterId(row), why: plan.why, ...(plan.faults && { faults: plan.faults }) });
    }),
  );
  return { dryRun: true, matched: job.matched, looked: rows.length, redrivable: rows.length - left.length, left };
}

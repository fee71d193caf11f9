import { loadSettings } from "../config/settings.ts";
import { openDatabase } from "../mixins/knex.ts";
import { ownPostgres } from "../test/support/servers.ts";
import { countUnread, createBatch } from "./baseline/batch.sql.ts";
import { Scripts } from "./baseline/scripts.ts";
import { timeRows, timesOf } from "./pipeline/times.ts";
import { type Bench, type BenchOptions, figure, type Row } from "./row.ts";
import { toldLeads } from "./world/told-leads.ts";
import { startWorld } from "./world/world.ts";

/** What the old system was said to do: with what is measured here, "1x" of the other benches. */
const claimedAMinute = 100;

/**
 * The old way, measured: the product's own pure functions and the same providers, one lead at a time through six scripts
 * in turn, each of which reads it from a table and writes it back. A lead's response time is from the first script's
 * start to the last one's end, with no other lead before it: in a nightly batch it waits for all those, too.
 */
export const run: Bench = async (options) => [
  figure("baseline", "claimed", "leads/s", claimedAMinute / 60),
  ...(await measured(0, options.short ? 250 : 1_000, options)),
  ...(await measured(200, options.short ? 10 : 100, options)),
];

async function measured(delayMs: number, count: number, { log }: BenchOptions): Promise<Row[]> {
  await using postgres = await ownPostgres({ durable: true });
  await using world = await startWorld(delayMs);
  const settings = loadSettings({ ...world.env, LEADS_DATABASE_URL: postgres.url });
  const knex = openDatabase({ ...settings, databasePool: 1 });
  const scripts = new Scripts(knex, settings);
  try {
    await createBatch(knex);
    for (const raw of toldLeads("first", 5)) await scripts.pass(raw);
    const leads = [...toldLeads("then", count)];
    const times: number[] = [];
    const since = performance.now();
    for (const raw of leads) {
      const began = performance.now();
      if (!(await scripts.pass(raw))) throw new Error(`refused: ${JSON.stringify(raw)}`);
      times.push(performance.now() - began);
    }
    const rate = count / ((performance.now() - since) / 1_000);
    const unread = await countUnread(knex);
    if (unread > 0) throw new Error(`the sites of ${unread} leads were not read or not measured`);
    const what = `providers at ${delayMs} ms`;
    log(`${what}: ${count} leads at ${rate.toFixed(1)} leads/s`);
    times.sort((a, b) => a - b);
    return [
      figure("baseline", what, "leads/s", rate),
      ...timeRows("baseline", `response time, ${what}`, timesOf(times)),
    ];
  } finally {
    await scripts.close();
    await knex.destroy();
  }
}

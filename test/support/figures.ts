import type { Knex } from "knex";
import { countNoted } from "../../services/analytics/count.sql.ts";

/**
 * What business figures should be, counted from the record by loops over all of it, and what is kept: by tables, one line a
 * row that is not nought.
 */
type Table = Record<string, Record<string, number>>;
export interface Kept {
  days: Table;
  zips: Table;
  rules: Table;
}

const dayOf = (at: Date) => at.toISOString().slice(0, 10);

function add(table: Table, key: unknown[], sums: Record<string, number>): void {
  table[key.join("|")] ??= {};
  const row = table[key.join("|")]!;
  for (const [name, n] of Object.entries(sums)) if (n !== 0) row[name] = (row[name] ?? 0) + n;
}

export async function recount(knex: Knex): Promise<Kept> {
  const all: Kept = { days: {}, zips: {}, rules: {} };
  const put = (
    where: { tenant: string; day: string; source?: string; vertical?: string; zip?: string },
    sums: object,
  ) => {
    const { tenant, day, source = "", vertical = "", zip = "" } = where;
    add(all.days, [tenant, day, source, vertical], sums as Record<string, number>);
    add(all.zips, [tenant, day, zip], sums as Record<string, number>);
  };
  const places = new Map<string, Parameters<typeof put>[0]>();
  const unsubscribed = new Set<string>();
  for (const { tenant, address, reason } of await knex("suppressions"))
    if (reason === "unsubscribed") unsubscribed.add(`${tenant} ${address.toString("hex")}`);
  const mails = Map.groupBy<string, any>(await knex("outbox"), ({ tenant, lead_id }) => `${tenant} ${lead_id}`);
  for (const lead of await knex("leads")) {
    const { tenant, lead_id, state, score } = lead;
    const where = {
      tenant,
      day: dayOf(lead.accepted_at),
      source: lead.source,
      vertical: lead.vertical ?? "",
      zip: lead.zip ?? "",
    };
    places.set(`${tenant} ${lead_id}`, where);
    const mine = mails.get(`${tenant} ${lead_id}`) ?? [];
    const went = mine.filter((mail) => ["sent", "bounced", "complained"].includes(mail.state));
    const any = (has: boolean) => (has ? 1 : 0);
    const isOne = state !== "merged" && state !== "erased";
    put(where, {
      taken_in: 1,
      [state]: 1,
      ...(isOne && score !== null && { [`scored_${Math.min(9, Math.floor(score / 10))}`]: 1 }),
      mocked_up: any(isOne && lead.mockup !== null),
      mailed: any(went.length > 0),
      opened: any(went.some((mail) => mail.opened)),
      bounced: any(mine.some((mail) => mail.state === "bounced")),
      complained: any(mine.some((mail) => mail.state === "complained")),
      unsubscribed: any(went.some((mail) => unsubscribed.has(`${tenant} ${mail.address?.toString("hex")}`))),
      mail_unknown: any(mine.some((mail) => mail.state === "unknown")),
    });
    if (isOne && score !== null)
      for (const { name } of lead.score_detail?.fired ?? [])
        add(all.rules, [tenant, where.day, name], { leads: 1, scores: score });
  }
  const { rows: costs } = await knex.raw(
    "select tenant, lead_id, cost_micro::float8 as cost, to_char(day, 'YYYY-MM-DD') as day from budget_entries where cost_micro <> 0",
  );
  for (const { tenant, lead_id, cost, day } of costs)
    put(places.get(`${tenant} ${lead_id}`) ?? { tenant, day }, { cost_micro: cost });
  return all;
}

export async function kept(knex: Knex): Promise<Kept> {
  const all: Kept = { days: {}, zips: {}, rules: {} };
  const read = async (table: keyof Kept, sql: string, ...keys: string[]) => {
    const { rows } = await knex.raw(sql);
    for (const row of rows) {
      const sums = Object.entries(row).filter(([name]) => !keys.includes(name));
      add(
        all[table],
        keys.map((key) => row[key]),
        Object.fromEntries(sums.map(([name, n]) => [name, Number(n)])),
      );
    }
  };
  await read(
    "days",
    "select *, to_char(day, 'YYYY-MM-DD') as day from analytics_days",
    "tenant",
    "day",
    "source",
    "vertical",
  );
  await read("zips", "select *, to_char(day, 'YYYY-MM-DD') as day from analytics_zips", "tenant", "day", "zip");
  await read(
    "rules",
    `select tenant, to_char(day, 'YYYY-MM-DD') as day, fired->>'name' as name, sum(leads) as leads, sum(scores) as scores
     from analytics_rule_days join analytics_rules using (rule_id) group by 1, 2, 3`,
    "tenant",
    "day",
    "name",
  );
  return all;
}

/** Counts all that is noted, in this process; answers how many notes there were. */
export async function countAll(knex: Knex): Promise<number> {
  let all = 0;
  for (let taken: number | null = 1; taken !== 0; all += taken ?? 0)
    taken = await knex.transaction((trx) => countNoted(trx, 500));
  return all;
}

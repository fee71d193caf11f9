import type { Knex } from "knex";

export interface RecordSummary {
  mockups: number;
  outbox: number;
  /** Leads by tens of their score: `0` stands for 0 to 9, `100` for 100. */
  histogram: { from: number; leads: number }[];
  /** Why leads ended, most frequent first. */
  reasons: { state: string; reason: string | null; leads: number }[];
}

/** What the record holds of one tenant. Reads all of its leads once (a sample's size), writes and locks nothing. */
export async function readRecord(knex: Knex, tenant: string): Promise<RecordSummary> {
  const of = async (sql: string) => (await knex.raw(sql, [tenant])).rows;
  const [counted] = await of(
    "select count(*) filter (where mockup is not null)::int as mockups from leads where tenant = ?",
  );
  const [written] = await of("select count(*)::int as outbox from outbox where tenant = ?");
  return {
    ...counted,
    ...written,
    histogram: await of(
      "select (score / 10 * 10)::int as from, count(*)::int as leads from leads where tenant = ? and score is not null and state = 'completed' group by 1 order by 1",
    ),
    reasons: await of(
      "select state, reason, count(*)::int as leads from leads where tenant = ? group by 1, 2 order by 3 desc limit 12",
    ),
  };
}

import type { Knex } from "knex";
import { statement } from "../../mixins/knex.ts";
import type { Erasure } from "./erasures.sql.ts";

type Whose = Pick<Erasure, "tenant" | "leadIds">;

/** Pages that a statement of {@link eraseByPages} reads: some 30 ms, so that none runs into its timeout. */
const pagesAtOnce = 10_000;

/**
 * Runs an update or delete over a table that has no index by lead, one partition after another and a range of pages at a
 * time (a TID range scan), so that each statement is short however large the table. An erasure is rare; an index would cost
 * every lead.
 */
async function eraseByPages(
  knex: Knex,
  table: string,
  sqlOf: (partition: string) => string,
  { tenant, leadIds }: Whose,
): Promise<number> {
  const { rows: parts } = await statement(() =>
    knex.raw<{ rows: { name: string; pages: number }[] }>(
      `select relid::regclass::text as name, (pg_relation_size(relid) / current_setting('block_size')::int)::int as pages
       from pg_partition_tree(?::regclass) where isleaf`,
      [table],
    ),
  );
  let done = 0;
  for (const { name, pages } of parts) {
    for (let from = 0; from < pages; from += pagesAtOnce) {
      const bindings = { tenant, leadIds, from: `(${from},0)`, to: `(${from + pagesAtOnce},0)` };
      done += (await statement(() => knex.raw<{ rowCount: number }>(sqlOf(name), bindings))).rowCount;
    }
  }
  return done;
}

const inPages = "p.ctid >= cast(:from as tid) and p.ctid < cast(:to as tid) and p.tenant = :tenant";

/** What was bought about the leads and kept in the ledger, so that a repeat need not buy it again. The sums stay. */
export function eraseAnswers(knex: Knex, whose: Whose): Promise<number> {
  return eraseByPages(
    knex,
    "budget_entries",
    (partition) => `update ${partition} p set answer = null
     where ${inPages} and lead_id = any(cast(:leadIds as uuid[])) and answer is not null`,
    whose,
  );
}

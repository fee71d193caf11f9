import type { Knex } from "knex";

/** How many leads of a tenant have ended. Reads an index of the whole tenant: only a bench may. */
export async function countEnded(knex: Knex, tenant: string): Promise<number> {
  const { rows } = await knex.raw(
    "select /* bench */ count(*)::int as n from leads where tenant = ? and state <> 'in_progress'",
    [tenant],
  );
  return rows[0].n;
}

/** Milliseconds from the acceptance of leads to their last stage's verdict, ascending. */
export async function endToEndMs(knex: Knex, tenant: string, source: string): Promise<number[]> {
  const { rows } = await knex.raw(
    `select /* bench */ split_part(timeline ->> -1, ' ', 2)::bigint - revision as ms from leads
     where tenant = ? and source = ? and state <> 'in_progress' order by 1`,
    [tenant, source],
  );
  return rows.map(({ ms }: { ms: string }) => Number(ms));
}

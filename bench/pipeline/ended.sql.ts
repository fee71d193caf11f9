import type { Knex } from "knex";

/** How many leads have ended. Reads an index of the whole table: only a bench may. */
export async function countEnded(knex: Knex): Promise<number> {
  const { rows } = await knex.raw("select count(*)::int as n from leads where state <> 'in_progress'");
  return rows[0].n;
}

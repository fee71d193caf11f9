import type { Knex } from "knex";

/** Columns of JSON, of texts and of arrays, which no plan hangs on: what looks at them has found the row by a key. */
const columns = {
  leads: ["fields", "provenance", "own", "warnings", "facts", "score_detail", "mockup", "timeline", "keys"],
  outbox: ["html", "body"],
  analytics_leads: ["rules"],
};

/**
 * Keeps no statistics of them. To have some, autovacuum sorts 30,000 values a column and part of the table whenever a tenth of
 * the rows has changed, and JSON that is alike in most leads is compared to its end.
 */
export const up = (knex: Knex): Promise<void> => setAll(knex, "0");
export const down = (knex: Knex): Promise<void> => setAll(knex, "default");

async function setAll(knex: Knex, target: string): Promise<void> {
  for (const [table, names] of Object.entries(columns)) {
    const changes = names.map((name) => `alter ${name} set statistics ${target}`);
    await knex.raw(`alter table ${table} ${changes.join(", ")}`);
  }
}

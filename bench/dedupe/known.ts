import type { Knex } from "knex";
import { arrive } from "../../services/dedupe/arrive.sql.ts";
import type { Lead } from "../../services/leads/lead.ts";

const chunkLeads = 5_000;

/** Puts leads on record with their keys, as the stage does, but compares none. */
export async function loadKnown(knex: Knex, count: number, make: (n: number) => Lead): Promise<void> {
  for (let from = 0; from < count; from += chunkLeads) {
    const leads = Array.from({ length: Math.min(chunkLeads, count - from) }, (_, n) => make(from + n));
    await knex.transaction((trx) => arrive(trx, "dedupe", leads));
  }
  await knex.raw("vacuum analyze leads");
  await knex.raw("vacuum analyze lead_keys");
}

import type { Knex } from "knex";
import { arrive } from "../../services/dedupe/arrive.sql.ts";
import type { Lead } from "../../services/leads/lead.ts";

/** Leads put on record at once, and how many of them by the stage's own first transaction. */
const blockLeads = 100_000;
const toldLeads = 5_000;

/**
 * Puts `count` leads on record with their keys. In each block some come as all leads do; the others are copies of these
 * under ids and keys of their own, which are hashes, as all keys are, so that nothing is like them. Returns how many came as all
 * do: `make(0)` and up, spread over the whole table.
 */
export async function loadKnown(knex: Knex, count: number, make: (n: number) => Lead): Promise<number> {
  let told = 0;
  for (let from = 0; from < count; from += blockLeads) {
    const block = Math.min(blockLeads, count - from);
    const leads = Array.from({ length: Math.min(toldLeads, block / 2) }, () => make(told++));
    await knex.transaction((trx) => arrive(trx, "dedupe", leads));
    const ids = leads.map(({ leadId }) => leadId);
    const columns = `tenant, revision, step, state, stage, source, trust, tier, name, email, phone, website, domain, city,
      region, zip, country, fields, facts, timeline, accepted_at`;
    await knex.raw(
      `with copies as materialized (
         select gen_random_uuid() as lead_id, ${columns}
         from leads cross join generate_series(1, ?) where lead_id = any(?::uuid[])
       ), known as (
         insert into leads (lead_id, source_id, keys, ${columns})
         select lead_id, lead_id::text, array(select hashtextextended(lead_id::text, n) from generate_series(1, 5) n), ${columns}
         from copies
         returning lead_id, keys
       )
       insert into lead_keys (key, lead_id) select unnest(keys), lead_id from known order by 1`,
      [block / leads.length - 1, ids],
    );
  }
  await knex.raw("vacuum analyze leads");
  await knex.raw("vacuum analyze lead_keys");
  return told;
}

import type { Knex } from "knex";
import { claimKeys, otherBound } from "../../services/dedupe/party.ts";
import { profileOf } from "../../services/dedupe/profile.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { insertLeads } from "../../services/leads/record.ts";

const chunkLeads = 5_000;

/** Puts leads on record with their keys by set-based statements, as if each had been settled, but compares none. */
export async function loadKnown(knex: Knex, count: number, make: (n: number) => Lead): Promise<void> {
  await knex.transaction(async (trx) => {
    await trx.raw("create temporary table given (kind smallint, value uuid, lead_id uuid) on commit drop");
    for (let from = 0; from < count; from += chunkLeads) {
      const leads = Array.from({ length: Math.min(chunkLeads, count - from) }, (_, n) => make(from + n));
      await insertLeads(trx, "dedupe", leads);
      const profiles = new Map(leads.map((lead) => [lead.leadId, profileOf(lead, lead.fields)]));
      const keys = claimKeys(leads, profiles).flatMap((key) =>
        key.claimants.map((leadId) => ({ kind: key.kind, value: key.value, leadId })),
      );
      const list = (values: readonly (string | number)[]) => `{${values.join(",")}}`;
      await trx.raw("insert into given select * from unnest(?::smallint[], ?::uuid[], ?::uuid[])", [
        list(keys.map((key) => key.kind)),
        list(keys.map((key) => key.value)),
        list(keys.map((key) => key.leadId)),
      ]);
    }
    await trx.raw("set local work_mem = '256MB'");
    await trx.raw(
      `insert into lead_keys (tenant, kind, value, lead_id, others)
       select 'bench', kind, value, ids[1], coalesce(ids[2:?], '{}')
       from (select kind, value, array_agg(lead_id) as ids from given group by kind, value) g`,
      [otherBound + 1],
    );
  });
  await knex.raw("vacuum analyze leads");
  await knex.raw("vacuum analyze lead_keys");
}

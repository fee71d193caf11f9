import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import { insertKeys, type TenantLead } from "./dedupe.sql.ts";
import { keysOf } from "./keys.ts";
import type { Known } from "./party.ts";
import { profileOf } from "./profile.ts";

/** Leads a transaction takes: as many as a statement of the record does. */
const chunkLeads = 500;

/**
 * Gives keys to the leads that had some of an older kind (`leads_to_key`, migration 050). Until it has, those are found
 * by nobody: so it runs before the services start. Any number may run at once, each takes other leads; one that is cut
 * short goes on where it was. Returns how many leads it has seen to.
 */
export async function rekeyLeads(knex: Knex): Promise<number> {
  for (let count = 0; ; ) {
    const taken = await transaction(knex, rekeyChunk);
    if (taken === 0) return count;
    count += taken;
  }
}

async function rekeyChunk(trx: Knex.Transaction): Promise<number> {
  const leads = await takeLeads(trx);
  const known = leads.length === 0 ? [] : await lockUnkeyed(trx, leads);
  const keyed = known.map(({ tenant, leadId, source, sourceId, told }) => {
    const profile = profileOf({ leadId, source, ...(sourceId !== null && { sourceId }) }, told);
    return { tenant, leadId, keys: keysOf(tenant, profile).map(({ value }) => value) };
  });
  await writeKeys(trx, keyed);
  await insertKeys(
    trx,
    keyed.flatMap(({ leadId, keys }) => keys.map((key) => ({ key, leadId }))),
  );
  return leads.length;
}

/** Takes leads off the list. Locks their lines of it, and passes over those that another has locked. By primary key. */
async function takeLeads(trx: Knex): Promise<TenantLead[]> {
  const { rows } = await trx.raw<{ rows: TenantLead[] }>(
    `delete from leads_to_key where (lead_id, tenant) in (
       select lead_id, tenant from leads_to_key order by lead_id, tenant limit ? for update skip locked
     ) returning lead_id as "leadId", tenant`,
    [chunkLeads],
  );
  return rows;
}

/** Locks those that have no keys yet and have not been erased, by id, and reads what they told. By primary key. */
async function lockUnkeyed(trx: Knex, leads: readonly TenantLead[]): Promise<Known[]> {
  const { rows } = await trx.raw<{ rows: Known[] }>(
    `select l.tenant, l.lead_id as "leadId", state, merged_into as "mergedInto", source, source_id as "sourceId",
       coalesce(own, fields) as told
     from unnest(?::text[], ?::uuid[]) as g(tenant, lead_id)
     join leads l on l.lead_id = g.lead_id and l.tenant = g.tenant
     where l.keys is null and l.state not in ('discarded', 'erased')
     order by l.lead_id, l.tenant for update of l`,
    [leads.map(({ tenant }) => tenant), leads.map(({ leadId }) => leadId)],
  );
  return rows;
}

/** Writes which keys leads have. By primary key; the rows are locked by the caller. */
async function writeKeys(trx: Knex, leads: readonly (TenantLead & { keys: readonly string[] })[]): Promise<void> {
  await trx.raw(
    `update leads l set keys = g.keys::bigint[]
     from unnest(?::text[], ?::uuid[], ?::text[]) as g(tenant, lead_id, keys)
     where l.lead_id = g.lead_id and l.tenant = g.tenant and l.lead_id = any(?::uuid[])`,
    [
      leads.map(({ tenant }) => tenant),
      leads.map(({ leadId }) => leadId),
      leads.map(({ keys }) => `{${keys.join(",")}}`),
      leads.map(({ leadId }) => leadId),
    ],
  );
}

import type { Knex } from "knex";
import { planned } from "../../mixins/knex.ts";
import { toJsonb } from "../leads/row.ts";
import { isPastDedupeSql } from "../leads/timeline.ts";
import { keyBound } from "./keys.ts";
import type { Identity, Known, Locked, Merge } from "./party.ts";

/**
 * The statements of the dedupe transactions (settle.sql.ts), in the order in which they run. All of them take a whole
 * batch; all are by primary key, by `lead_keys_by_key` or by `leads_by_winner`. Look-ups are lateral sub-selects (`limit`
 * or `offset 0` keep them so): as plain joins they were planned as hash joins over whole tables of 150,000 keys, 70 ms
 * instead of 9. For the same reason an update says the ids a second time (`= any`): 75 rows of 30,000 took
 * 20 ms without.
 */

export interface TenantLead {
  tenant: string;
  leadId: string;
}

/** Of the table called `l`: as of a {@link Known}. By what its telling has passed, wherever dedupe stands in the flow. */
export const isStopped = `(l.state = 'dead' and ${isPastDedupeSql})`;

/** UUIDs and whole numbers need no quoting in an array literal: a fifth of the time that the driver's escaping takes. */
const literal = (values: readonly (string | number)[]) => `{${values.join(",")}}`;

/** Tenants as a short list and an index into it, as a batch has few of them and thousands of keys. */
function tenantArrays(rows: readonly { tenant: string }[]): { names: string[]; at: string } {
  const index = new Map<string, number>();
  const at = rows.map(({ tenant }) => {
    let n = index.get(tenant);
    if (n === undefined) {
      n = index.size + 1;
      index.set(tenant, n);
    }
    return n;
  });
  return { names: [...index.keys()], at: literal(at) };
}

/**
 * Waits for its turn among the transactions that run again, until the end of this one. Taken before any other lock, so
 * that the order of locks stands. 0x6c656164 says "lead": the number only has to be ours.
 */
export async function takeTurn(trx: Knex): Promise<void> {
  await trx.raw("select pg_advisory_xact_lock(?, 1)", [0x6c656164]);
}

/**
 * Has the planner take indexes alone until the end of the transaction. It cannot know how many leads share a key: it read
 * all 15,000 of a phone to see the first 65 (a bitmap), or a whole table that it thought would soon have shown them.
 */
export async function byIndex(trx: Knex): Promise<void> {
  await trx.raw("set local enable_bitmapscan = off; set local enable_seqscan = off");
}

/**
 * Adds keys that their leads have not had, of leads that are on record: an arrival brings its own (services/leads/leads.sql.ts
 * `upsertArrivals`). Nothing is unique here, so nobody is waited for: who adds keys of a lead holds its row. In the order of
 * the index.
 */
export async function insertKeys(trx: Knex, keys: readonly { key: string; leadId: string }[]): Promise<void> {
  await trx.raw("insert into lead_keys (key, lead_id) select * from unnest(?::bigint[], ?::uuid[]) order by 1", [
    literal(keys.map(({ key }) => key)),
    literal(keys.map(({ leadId }) => leadId)),
  ]);
}

/**
 * Who has a key in each of these ranges, one more than {@link keyBound} at the most, but for the range's only `claimant` (so
 * that nothing comes back of the many ranges that nobody else is in). Locks nothing. By `lead_keys_by_key`, so many entries of
 * it for each. The plan is kept, as making one over sixteen parts takes a millisecond: asked {@link byIndex} alone, so that it
 * is made so. The ranges are out of the planner's sight (mixins/knex.ts `unseen`); the limit is not, as of one that it cannot
 * read it expects a tenth of all rows.
 */
export async function findMembers(
  trx: Knex,
  ranges: readonly { low: string; high: string; claimant: string | null }[],
): Promise<{ low: string; leadId: string }[]> {
  const { rows } = await planned(
    "dedupe_members",
    trx.raw<{ rows: { low: string; leadId: string }[] }>(
      `select c.low, k.lead_id as "leadId"
       from (
         select * from unnest((select ?::bigint[]), (select ?::bigint[]), (select ?::uuid[])) as c(low, high, claimant)
         order by low
       ) c
       cross join lateral (
         select lead_id from lead_keys where key between c.low and c.high order by key limit ${keyBound + 1}
       ) k
       where k.lead_id is distinct from c.claimant`,
      [
        literal(ranges.map(({ low }) => low)),
        literal(ranges.map(({ high }) => high)),
        literal(ranges.map(({ claimant }) => claimant ?? "null")),
      ],
    ),
  );
  return rows;
}

/**
 * Leads as they stand, with what they told themselves; those that are not on record are left out. Locks nothing. How many
 * they are is out of the planner's sight, so that it keeps its plan (mixins/knex.ts `unseen`): it takes two milliseconds.
 */
export async function readKnown(trx: Knex, leads: readonly TenantLead[]): Promise<Known[]> {
  const tenants = tenantArrays(leads);
  const { rows } = await planned(
    "dedupe_known",
    trx.raw<{ rows: Known[] }>(
      `select a.tenant, a.lead_id as "leadId", state, stopped, merged_into as "mergedInto", source, source_id as "sourceId", told
       from (
         select ((select ?::text[]))[t] as tenant, lead_id from unnest((select ?::int[]), (select ?::uuid[])) as b(t, lead_id)
       ) a
       cross join lateral (
         select l.state, ${isStopped} as stopped, l.merged_into, l.source, l.source_id, coalesce(l.own, l.fields) as told
         from leads l where l.lead_id = a.lead_id and l.tenant = a.tenant offset 0
       ) l`,
      [tenants.names, tenants.at, literal(leads.map((l) => l.leadId))],
    ),
  );
  return rows;
}

/**
 * Locks leads, and those that were merged into some of them (`parents`), in the order of their ids. What comes back is
 * what the rows hold once the lock is had. A join, as a lateral sub-select that locks is not safe (mixins/knex.ts,
 * `statement`): 250 of 100,000 take as long.
 */
export async function lockLeads(
  trx: Knex,
  leads: readonly TenantLead[],
  parents: readonly TenantLead[],
): Promise<Locked[]> {
  const tenants = tenantArrays(leads);
  const parentTenants = tenantArrays(parents);
  const children =
    parents.length === 0
      ? ""
      : `union select c.lead_id, c.tenant from unnest(?::int[], ?::uuid[]) as p(t, winner)
         join leads c on c.tenant = (?::text[])[t] and c.merged_into = winner`;
  const { rows } = await trx.raw<{ rows: Locked[] }>(
    `select l.tenant, l.lead_id as "leadId", state, ${isStopped} as stopped, reason, merged_into as "mergedInto", revision::float8 as revision,
       trust, source, fields, coalesce(own, fields) as own, provenance,
       round(extract(epoch from accepted_at) * 1000)::float8 as "acceptedAt"
     from (
       select lead_id, (?::text[])[t] as tenant from unnest(?::int[], ?::uuid[]) as a(t, lead_id) ${children}
       order by lead_id, tenant offset 0
     ) a
     join leads l on l.lead_id = a.lead_id and l.tenant = a.tenant
     order by l.lead_id, l.tenant for update of l`,
    [
      tenants.names,
      tenants.at,
      literal(leads.map((l) => l.leadId)),
      ...(parents.length === 0 ? [] : [parentTenants.at, literal(parents.map((p) => p.leadId)), parentTenants.names]),
    ],
  );
  return rows;
}

/**
 * Writes who leads are, with the columns that are searched; what a lead told itself stays in `own`. By primary key; the
 * rows are locked by the caller.
 */
export async function writeIdentities(trx: Knex, identities: readonly Identity[]): Promise<void> {
  await trx.raw(
    `update leads l set
       name = coalesce(g.fields->>'name', ''), email = g.fields->>'email', phone = g.fields->>'phone',
       website = g.fields->>'website', domain = g.fields->>'domain', city = g.fields->'address'->>'city',
       region = g.fields->'address'->>'state', zip = g.fields->'address'->>'zip',
       country = g.fields->'address'->>'country', vertical = g.fields->>'vertical',
       fields = g.fields, provenance = g.provenance,
       own = case when g.alone is not true then coalesce(l.own, l.fields) end, updated_at = now()
     from jsonb_to_recordset(?::jsonb) as g(tenant text, "leadId" uuid, fields jsonb, provenance jsonb, alone boolean)
     where l.lead_id = g."leadId" and l.tenant = g.tenant and l.lead_id = any(?::uuid[])`,
    [toJsonb(identities), literal(identities.map((i) => i.leadId))],
  );
}

/** Ends losers as merged. By primary key; the rows are locked by the caller, and take part, so that a repeat never gets here. */
export async function endLosers(trx: Knex, merges: readonly Merge[]): Promise<void> {
  const tenants = tenantArrays(merges);
  await trx.raw(
    `update leads l set state = 'merged', reason = 'duplicate', merged_into = winner, updated_at = now()
     from unnest(?::int[], ?::uuid[], ?::uuid[]) as g(t, loser, winner)
     where l.lead_id = loser and l.tenant = (?::text[])[t] and l.lead_id = any(?::uuid[])`,
    [
      tenants.at,
      literal(merges.map((m) => m.loser)),
      literal(merges.map((m) => m.winner)),
      tenants.names,
      literal(merges.map((m) => m.loser)),
    ],
  );
}

/**
 * How many leads are merged into these now. Locks nothing: the caller has locked these, so that nobody adds to them. By
 * `leads_by_winner`.
 */
export async function countChildren(trx: Knex, parents: readonly TenantLead[]): Promise<number> {
  const tenants = tenantArrays(parents);
  const { rows } = await trx.raw<{ rows: { n: number }[] }>(
    `select count(*)::int as n from unnest(?::int[], ?::uuid[]) as g(t, parent)
     cross join lateral (
       select 1 from leads l where l.tenant = (?::text[])[t] and l.merged_into = parent offset 0
     ) l`,
    [tenants.at, literal(parents.map((parent) => parent.leadId)), tenants.names],
  );
  return rows[0]!.n;
}

/** Those that had been merged into a loser are merged into its winner: a lead is one step from its winner, always. */
export async function moveChildren(trx: Knex, merges: readonly Merge[]): Promise<void> {
  const tenants = tenantArrays(merges);
  await trx.raw(
    `update leads l set merged_into = winner, updated_at = now()
     from unnest(?::int[], ?::uuid[], ?::uuid[]) as g(t, loser, winner)
     where l.tenant = (?::text[])[t] and l.merged_into = loser`,
    [tenants.at, literal(merges.map((m) => m.loser)), literal(merges.map((m) => m.winner)), tenants.names],
  );
}

/** Those that an unmerged lead had brought with it are its own again. By primary key; the rows are locked by the caller. */
export async function moveBack(trx: Knex, to: TenantLead, leads: readonly TenantLead[]): Promise<void> {
  await trx.raw("update leads set merged_into = ?, updated_at = now() where tenant = ? and lead_id = any(?::uuid[])", [
    to.leadId,
    to.tenant,
    literal(leads.map((lead) => lead.leadId)),
  ]);
}

/** Books merges, in the order in which they were applied. */
export async function insertMerges(trx: Knex, merges: readonly Merge[]): Promise<void> {
  await trx.raw(
    `insert into merges (tenant, winner, loser, evidence, loser_before)
     select tenant, winner, loser, evidence, loser_before
     from rows from (jsonb_to_recordset(?::jsonb) as (tenant text, winner uuid, loser uuid, evidence jsonb,
       loser_before jsonb)) with ordinality as g(tenant, winner, loser, evidence, loser_before, n)
     order by n`,
    [toJsonb(merges)],
  );
}

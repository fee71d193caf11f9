import type { Knex } from "knex";
import { toJsonb } from "../leads/row.ts";
import type { Claim, Identity, Known, Locked, Merge } from "./party.ts";

/**
 * The statements of the dedupe transaction (settle.sql.ts), in the order in which it runs them. All of them take a whole
 * batch; all are by primary key or by `leads_by_winner`. Look-ups are lateral sub-selects (`offset 0` or `for update`
 * keep them so): as plain joins they were planned as hash joins over whole tables of 150,000 keys, 70 ms instead of 9.
 * For the same reason an update says the ids a second time (`= any`): 75 rows of 30,000 took 20 ms without.
 */

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
 * Claims keys; returns the values of those that were there already (of this lead, perhaps: a repeat finds its own). A key
 * that another transaction is inserting is waited for. Values must come sorted and once each: that is the lock order (an
 * array is read, and its rows inserted, in its order). A repeat inserts nothing.
 */
export async function insertKeys(trx: Knex, claims: readonly Claim[]): Promise<string[]> {
  if (claims.length === 0) return [];
  const tenants = tenantArrays(claims);
  const { rows } = await trx.raw<{ rows: { value: string }[] }>(
    `with claimed as materialized (
       select (?::text[])[t] as tenant, kind, value, lead_id, others::uuid[]
       from unnest(?::int[], ?::smallint[], ?::uuid[], ?::uuid[], ?::text[]) as c(t, kind, value, lead_id, others)
     ), fresh as (
       insert into lead_keys (tenant, kind, value, lead_id, others)
       select tenant, kind, value, lead_id, others from claimed
       on conflict do nothing
       returning value
     )
     select value from claimed where value not in (select value from fresh)`,
    [
      tenants.names,
      tenants.at,
      literal(claims.map((c) => c.kind)),
      literal(claims.map((c) => c.value)),
      literal(claims.map((c) => c.leadId)),
      claims.map((c) => literal(c.others)),
    ],
  );
  return rows.map((row) => row.value);
}

/**
 * Locks keys that have room and returns who has them; a key that is full (`others` holds as many as it may) is neither
 * locked nor returned, so that nobody waits at a call centre's phone. In the order given, which must be that of the
 * values: they are looked up, and locked, one by one. What comes back is what a row holds once its lock is had.
 */
export async function lockKeys(
  trx: Knex,
  taken: readonly Claim[],
  limits: { identityKinds: number; others: number },
): Promise<{ value: string; leadId: string; others: string[] }[]> {
  const tenants = tenantArrays(taken);
  const { rows } = await trx.raw<{ rows: { value: string; leadId: string; others: string[] }[] }>(
    `select k.value, k.lead_id as "leadId", k.others
     from (
       select (?::text[])[t] as tenant, kind, value from unnest(?::int[], ?::smallint[], ?::uuid[]) as c(t, kind, value)
       order by value
     ) c
     cross join lateral (
       select k.value, k.lead_id, k.others from lead_keys k
       where k.value = c.value and k.tenant = c.tenant and k.kind = c.kind
         and (k.kind <= ? or cardinality(k.others) < ?)
       for update
     ) k`,
    [
      tenants.names,
      tenants.at,
      literal(taken.map((c) => c.kind)),
      literal(taken.map((c) => c.value)),
      limits.identityKinds,
      limits.others,
    ],
  );
  return rows;
}

/** Writes who has keys besides the one that brought them. By primary key; the rows are locked by the caller. */
export async function writeOthers(trx: Knex, keys: readonly (Claim & { others: readonly string[] })[]): Promise<void> {
  const tenants = tenantArrays(keys);
  await trx.raw(
    `update lead_keys k set others = g.others::uuid[]
     from unnest(?::int[], ?::smallint[], ?::uuid[], ?::text[]) as g(t, kind, value, others)
     where k.value = g.value and k.kind = g.kind and k.tenant = (?::text[])[t] and k.value = any(?::uuid[])`,
    [
      tenants.at,
      literal(keys.map((k) => k.kind)),
      literal(keys.map((k) => k.value)),
      keys.map((k) => literal(k.others)),
      tenants.names,
      literal(keys.map((k) => k.value)),
    ],
  );
}

/**
 * Leads as they stand, with what they told themselves; those that are not on record are left out. Locks nothing. A
 * statement of its own after {@link lockKeys}, as only a new snapshot sees what the transactions that it waited for have
 * committed.
 */
export async function readKnown(trx: Knex, leads: readonly { tenant: string; leadId: string }[]): Promise<Known[]> {
  const tenants = tenantArrays(leads);
  const { rows } = await trx.raw<{ rows: Known[] }>(
    `select a.tenant, a.lead_id as "leadId", state, merged_into as "mergedInto", source, source_id as "sourceId", told
     from (select (?::text[])[t] as tenant, lead_id from unnest(?::int[], ?::uuid[]) as b(t, lead_id)) a
     cross join lateral (
       select l.state, l.merged_into, l.source, l.source_id, coalesce(l.own, l.fields) as told
       from leads l where l.lead_id = a.lead_id and l.tenant = a.tenant offset 0
     ) l`,
    [tenants.names, tenants.at, literal(leads.map((l) => l.leadId))],
  );
  return rows;
}

/**
 * Locks leads, and those that were merged into some of them (`parents`), in the order of their ids: they are looked
 * up, and locked, one by one in the order of the sorted list. What comes back is what the rows hold once the lock is had.
 */
export async function lockLeads(
  trx: Knex,
  leads: readonly { tenant: string; leadId: string }[],
  parents: readonly { tenant: string; leadId: string }[],
): Promise<Locked[]> {
  const tenants = tenantArrays(leads);
  const parentTenants = tenantArrays(parents);
  const children =
    parents.length === 0
      ? ""
      : `union select c.lead_id, c.tenant from unnest(?::int[], ?::uuid[]) as p(t, winner)
         join leads c on c.tenant = (?::text[])[t] and c.merged_into = winner`;
  const { rows } = await trx.raw<{ rows: Locked[] }>(
    `select l.*
     from (
       select lead_id, (?::text[])[t] as tenant from unnest(?::int[], ?::uuid[]) as a(t, lead_id) ${children}
       order by lead_id, tenant
     ) a
     cross join lateral (
       select l.tenant, l.lead_id as "leadId", state, reason, merged_into as "mergedInto", revision::float8 as revision,
         trust, source, fields, provenance, round(extract(epoch from accepted_at) * 1000)::float8 as "acceptedAt"
       from leads l where l.lead_id = a.lead_id and l.tenant = a.tenant
       for update
     ) l`,
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
 * Takes erased leads off the keys that a late repeat of theirs has brought. The keys are locked by the caller. A repeat
 * finds nothing.
 */
export async function dropKeys(trx: Knex, claims: readonly Claim[], erased: readonly string[]): Promise<void> {
  const tenants = tenantArrays(claims);
  const given = [
    tenants.at,
    literal(claims.map((c) => c.kind)),
    literal(claims.map((c) => c.value)),
    tenants.names,
    literal(erased),
  ];
  const which = `unnest(?::int[], ?::smallint[], ?::uuid[]) as g(t, kind, value)
     where k.value = g.value and k.kind = g.kind and k.tenant = (?::text[])[t]`;
  await trx.raw(`delete from lead_keys k using ${which} and k.lead_id || k.others <@ ?::uuid[]`, given);
  const left = "(select array_agg(id) from unnest(k.lead_id || k.others) id where id <> all(?::uuid[]))";
  await trx.raw(
    `update lead_keys k set lead_id = ${left}[1], others = ${left}[2:] from ${which} and k.lead_id || k.others && ?::uuid[]`,
    [literal(erased), literal(erased), ...given],
  );
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
       fields = g.fields, provenance = g.provenance, own = coalesce(l.own, l.fields), updated_at = now()
     from jsonb_to_recordset(?::jsonb) as g(tenant text, "leadId" uuid, fields jsonb, provenance jsonb)
     where l.lead_id = g."leadId" and l.tenant = g.tenant and l.lead_id = any(?::uuid[])`,
    [toJsonb(identities), literal(identities.map((i) => i.leadId))],
  );
}

/** Ends losers as merged. By primary key; the rows are locked by the caller, and live, so that a repeat never gets here. */
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
 * How many leads are merged into these losers now. Locks nothing: the losers are locked, so that nobody adds to them. By
 * `leads_by_winner`.
 */
export async function countChildren(trx: Knex, merges: readonly Merge[]): Promise<number> {
  const tenants = tenantArrays(merges);
  const { rows } = await trx.raw<{ rows: { n: number }[] }>(
    `select count(*)::int as n from unnest(?::int[], ?::uuid[]) as g(t, loser)
     cross join lateral (
       select 1 from leads l where l.tenant = (?::text[])[t] and l.merged_into = loser offset 0
     ) l`,
    [tenants.at, literal(merges.map((m) => m.loser)), tenants.names],
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

/** Books merges, in the order in which they were applied: undone in the opposite order, each restores what it found. */
export async function insertMerges(trx: Knex, merges: readonly Merge[]): Promise<void> {
  await trx.raw(
    `insert into merges (tenant, winner, loser, evidence, winner_before, loser_before)
     select tenant, winner, loser, evidence, winner_before, loser_before
     from rows from (jsonb_to_recordset(?::jsonb) as (tenant text, winner uuid, loser uuid, evidence jsonb,
       winner_before jsonb, loser_before jsonb)) with ordinality
       as g(tenant, winner, loser, evidence, winner_before, loser_before, n)
     order by n`,
    [toJsonb(merges)],
  );
}

import type { Knex } from "knex";
import { toJsonb } from "../leads/row.ts";
import type { Claim, Identity, Known, Locked, Merge, Takeover } from "./party.ts";

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
 * Claims keys; returns the values of those that had an owner already (this lead, perhaps: a repeat finds its own).
 * A key that another transaction is inserting is waited for. Values must come sorted and once each: that is the lock
 * order (an array is read, and its rows inserted, in its order). A repeat inserts nothing.
 */
export async function insertKeys(trx: Knex, claims: readonly Claim[]): Promise<string[]> {
  if (claims.length === 0) return [];
  const tenants = tenantArrays(claims);
  const { rows } = await trx.raw<{ rows: { value: string }[] }>(
    `with claimed as materialized (
       select (?::text[])[t] as tenant, kind, value, lead_id
       from unnest(?::int[], ?::smallint[], ?::uuid[], ?::uuid[]) as c(t, kind, value, lead_id)
     ), fresh as (
       insert into lead_keys (tenant, kind, value, lead_id) select tenant, kind, value, lead_id from claimed
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
    ],
  );
  return rows.map((row) => row.value);
}

/**
 * The owners of these keys, and these leads themselves where they are on record. Locks nothing. A statement of its own
 * after {@link insertKeys}, as only a new snapshot sees what the transactions that it waited for have committed.
 */
export async function readKnown(
  trx: Knex,
  taken: readonly Claim[],
  leads: readonly { tenant: string; leadId: string }[],
): Promise<Known[]> {
  const keyTenants = tenantArrays(taken);
  const leadTenants = tenantArrays(leads);
  const { rows } = await trx.raw<{ rows: Known[] }>(
    `with asked as (
       select value, k.tenant, k.lead_id
       from (select (?::text[])[t], kind, value from unnest(?::int[], ?::smallint[], ?::uuid[]) as c(t, kind, value))
         as c(tenant, kind, value)
       cross join lateral (
         select k.tenant, k.lead_id from lead_keys k
         where k.value = c.value and k.tenant = c.tenant and k.kind = c.kind offset 0
       ) k
       union all
       select null, (?::text[])[t], lead_id from unnest(?::int[], ?::uuid[]) as b(t, lead_id)
     )
     select value, tenant, lead_id as "leadId", state, merged_into as "mergedInto"
     from asked
     left join lateral (
       select l.state, l.merged_into from leads l where l.lead_id = asked.lead_id and l.tenant = asked.tenant offset 0
     ) l on true
     where value is not null or state is not null`,
    [
      keyTenants.names,
      keyTenants.at,
      literal(taken.map((c) => c.kind)),
      literal(taken.map((c) => c.value)),
      leadTenants.names,
      leadTenants.at,
      literal(leads.map((l) => l.leadId)),
    ],
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
 * Gives keys of leads that take no part any more to others. Their old owners are locked by the caller, so nobody else
 * does so at the same time. Returns how many were given.
 */
export async function takeKeys(trx: Knex, takeovers: readonly Takeover[]): Promise<number> {
  const tenants = tenantArrays(takeovers);
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `update lead_keys k set lead_id = heir
     from unnest(?::int[], ?::smallint[], ?::uuid[], ?::uuid[], ?::uuid[]) as g(t, kind, value, owner, heir)
     where k.value = g.value and k.kind = g.kind and k.tenant = (?::text[])[t] and k.lead_id = owner`,
    [
      tenants.at,
      literal(takeovers.map((t) => t.kind)),
      literal(takeovers.map((t) => t.value)),
      literal(takeovers.map((t) => t.from)),
      literal(takeovers.map((t) => t.to)),
      tenants.names,
    ],
  );
  return rowCount;
}

/** Takes the keys of erased leads away that a late repeat of theirs has brought. A repeat finds nothing. */
export async function dropKeys(trx: Knex, claims: readonly Claim[]): Promise<void> {
  const tenants = tenantArrays(claims);
  await trx.raw(
    `delete from lead_keys k using unnest(?::int[], ?::smallint[], ?::uuid[], ?::uuid[]) as g(t, kind, value, owner)
     where k.value = g.value and k.kind = g.kind and k.tenant = (?::text[])[t] and k.lead_id = owner`,
    [
      tenants.at,
      literal(claims.map((c) => c.kind)),
      literal(claims.map((c) => c.value)),
      literal(claims.map((c) => c.leadId)),
      tenants.names,
    ],
  );
}

/** Writes who leads are, with the columns that are searched. By primary key; the rows are locked by the caller. */
export async function writeIdentities(trx: Knex, identities: readonly Identity[]): Promise<void> {
  await trx.raw(
    `update leads l set
       name = coalesce(g.fields->>'name', ''), email = g.fields->>'email', phone = g.fields->>'phone',
       website = g.fields->>'website', domain = g.fields->>'domain', city = g.fields->'address'->>'city',
       region = g.fields->'address'->>'state', zip = g.fields->'address'->>'zip',
       country = g.fields->'address'->>'country', vertical = g.fields->>'vertical',
       fields = g.fields, provenance = g.provenance, updated_at = now()
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

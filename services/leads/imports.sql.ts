import type { Knex } from "knex";

/** Leads of an import that are looked at, at the most: a state's share of them is off by 1.4 points in one case of twenty. */
const sampled = 5_000;
/** `uuid_hash` is an int4. */
const [leastHash, hashes] = [-(2 ** 31), 2 ** 32];

/** The states of an import's leads, as far as their acceptance is booked. */
export interface ImportStates {
  /** Estimated from a sample. */
  about: boolean;
  states: Partial<Record<string, number>>;
}

const importStatesSql = `with first as materialized (
    select tenant, lead_id, uuid_hash(lead_id) as hash from acceptances
    where import_id = cast(:importId as uuid) and tenant = :tenant
    order by uuid_hash(lead_id) limit ${sampled + 1}
  ), whole as (
    select case when count(*) > ${sampled} then max(hash) end as bound from first
  )
  select coalesce(l.state, 'in_progress') as state, count(*)::int as leads, w.bound, false as exact
  from first f
  cross join whole w
  left join lateral (
    select state from leads l where l.lead_id = f.lead_id and l.tenant = f.tenant offset 0
  ) l on true
  where w.bound is null or f.hash < w.bound
  group by 1, 3
  union all
  select 'erased', leads::int, null, true from import_erasures
  where import_id = cast(:importId as uuid) and tenant = :tenant`;

/**
 * How many leads of an import are in each state: those whose acceptance names it, and those that were erased out of it.
 * One that has not come to the record is in progress. Up to 5,000 leads: all of them, exact. Else the first by the hash of
 * their ids: hashes are uniform, so n of them below a share s of the range tell of n / s leads ("k minimum values"), and
 * nobody need say how large the import is. Reads 5,001 entries of acceptances_by_import and as many rows by primary key,
 * however large the import: 45 ms for one of 600,000 leads; locks nothing. One statement, as an erasure moves leads from the one term to the other.
 */
export async function importStates(knex: Knex, tenant: string, importId: string): Promise<ImportStates> {
  const { rows } = await knex.raw<{ rows: { state: string; leads: number; bound: number | null; exact: boolean }[] }>(
    importStatesSql,
    { tenant, importId },
  );
  const bound = rows.find((row) => row.bound !== null)?.bound ?? null;
  const share = bound === null ? 1 : (bound - leastHash) / hashes;
  const states: ImportStates["states"] = {};
  for (const { state, leads, exact } of rows)
    states[state] = (states[state] ?? 0) + (exact ? leads : Math.round(leads / share));
  return { about: bound !== null, states };
}

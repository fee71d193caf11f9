import type { Knex } from "knex";
import { planned, statement, unseen } from "../../mixins/knex.ts";
import { type Entry, few } from "./budget.sql.ts";

/** The statements that close reservations. The states, and the order of locks, stand at the head of budget.sql.ts. */

export interface Closing {
  effectKey: string;
  reservation: string;
  state: "settled" | "released" | "presumed";
  /** What it cost; null: what was reserved. */
  costMicro: number | null;
  by: "caller" | "provider" | "presumption";
  /** Nothing is kept of one that is undefined or null. */
  answer: unknown;
}
export interface Closed {
  /** This statement closed it, or corrected what was presumed. */
  changed: boolean;
  /** The reservation as it stands now; null where there is none of that name (any more). */
  state: Entry["state"] | null;
  costMicro: number;
  reservedMicro: number;
}

/** The three windows of an entry's day. */
const windowsOf = (e: string) => `lateral (values ('day', ${e}.day, ''), ('day', ${e}.day, ${e}.provider),
      ('month', cast(date_trunc('month', ${e}.day) as date), '')) as k(period, starts_on, provider)`;

const closeSql = `with asked as materialized (
     select * from unnest(cast(:effectKeys as text[]), cast(:reservations as uuid[]), cast(:states as text[]),
       cast(:costs as bigint[]), cast(:bys as text[]), cast(:answers as text[]))
       with ordinality as a(effect_key, reservation, becomes, cost, by, answer, n)
   ),
   known as materialized (
     select a.*, e.run, e.day, e.provider, e.state, e.cost_micro, e.reserved_micro,
       case when becomes = 'released' then 0 else coalesce(cost, e.reserved_micro) end as costs
     from asked a cross join lateral (
       select * from budget_entries e
       where e.effect_key = a.effect_key and e.tenant = :tenant and e.reservation = a.reservation offset 0
     ) e
   ),
   locked as materialized (
     select 1 from budget_windows w
     where w.tenant = :tenant and (w.period, w.starts_on, w.provider) in (
       select k.* from known e cross join ${windowsOf("e")} where greatest(e.reserved_micro, e.cost_micro, e.costs) > 0)
       -- Every entry is looked up before the first lock (mixins/knex.ts).
       and (select count(*) from known) >= 0
     order by w.period, w.starts_on, w.provider
     for no key update
   ),
   -- An upsert of entries that are there: it judges each by its newest version, once it has the lock.
   closed as (
     insert into budget_entries as e (tenant, effect_key, run, provider, state, settled_by, reservation, day, cost_micro,
       reserved_micro, answer, expires_at, closed_at)
     select :tenant, effect_key, run, provider, becomes, by, reservation, day, costs, reserved_micro,
       cast(answer as jsonb), now(), now()
     from known where (select count(*) from locked) >= 0 order by effect_key
     on conflict (effect_key, tenant, run) do update set state = excluded.state, settled_by = excluded.settled_by,
       closed_at = excluded.closed_at, answer = excluded.answer, cost_micro = excluded.cost_micro
     where e.reservation = excluded.reservation
       and (e.state = 'reserved' or (e.state = 'presumed' and excluded.state <> 'presumed'))
     returning e.effect_key, old.cost_micro as was_spent,
       case when old.state = 'reserved' then old.reserved_micro else 0 end as freed
   ),
   held as materialized (select k.*, was_spent, freed from closed join known k using (effect_key)),
   moved as (
     insert into budget_windows as w (tenant, period, starts_on, provider, reserved_micro, spent_micro)
     select :tenant, k.*, -sum(c.freed), sum(c.costs - c.was_spent)
     from held c cross join ${windowsOf("c")}
     group by k.period, k.starts_on, k.provider having sum(c.freed) <> 0 or sum(c.costs - c.was_spent) <> 0
     order by k.period, k.starts_on, k.provider
     on conflict (tenant, starts_on, period, provider) do update set
       reserved_micro = w.reserved_micro + excluded.reserved_micro, spent_micro = w.spent_micro + excluded.spent_micro
   )
   select h.n is not null as changed, coalesce(h.becomes, k.state) as state,
     cast(coalesce(h.costs, k.cost_micro, 0) as float8) as "costMicro",
     cast(coalesce(k.reserved_micro, 0) as float8) as "reservedMicro"
   from asked a left join known k using (n) left join held h using (n) order by a.n`;
const closeFewSql = unseen(closeSql);

/**
 * Closes reservations of a tenant and moves their sums, in the windows of the days they were made in, from reserved to
 * spent (or out). What was presumed to be spent can still be settled or released by the one who held it; everything else
 * that is closed stays as it is, so a repeat is harmless. No two of them may be one effect. Locks the windows in which
 * money moves, and makes those that are not there: what was to be free may have cost. Served by the primary keys.
 */
export async function close(knex: Knex, tenant: string, closings: readonly Closing[]): Promise<Closed[]> {
  const { rows } = await statement(() => {
    const raw = knex.raw<{ rows: Closed[] }>(closings.length <= few ? closeFewSql : closeSql, {
      tenant,
      effectKeys: closings.map((c) => c.effectKey),
      reservations: closings.map((c) => c.reservation),
      states: closings.map((c) => c.state),
      costs: closings.map((c) => c.costMicro),
      bys: closings.map((c) => (c.state === "released" ? null : c.by)),
      answers: closings.map((c) => (c.answer === undefined || c.answer === null ? null : JSON.stringify(c.answer))),
    } as never);
    return closings.length <= few ? planned("budget_close", raw) : raw;
  });
  return rows;
}

export interface Expired {
  tenant: string;
  effectKey: string;
  reservation: string;
  provider: string;
  reservedMicro: number;
}

/** Reservations whose holder has not come back in time, the longest overdue first. Served by budget_entries_open. */
export async function expired(knex: Knex, limit: number): Promise<Expired[]> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: Expired[] }>(
      `select tenant, effect_key as "effectKey", reservation, provider, cast(reserved_micro as float8) as "reservedMicro"
       from budget_entries where state = 'reserved' and expires_at < clock_timestamp()
       order by expires_at limit ?`,
      [limit],
    ),
  );
  return rows;
}

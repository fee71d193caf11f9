import type { Knex } from "knex";
import { statement } from "../../mixins/knex.ts";

/**
 * The ledger's statements. An entry is one effect (a call that costs), by its key:
 *
 * ```
 *              reserve                    settle (the caller, or the provider when it is asked)
 *   (nothing) ---------> reserved --------------------------------------------------> settled
 *                        |  |  ^                                                        ^
 *                release |  |  | reserve (a new reservation, the same row)              | settle: the caller was
 *                        v  |  |                                                        | alive after all
 *                    released -+                                                        |
 *                           | expired, and nobody knows                                 |
 *                           +------------------------------> presumed (as spent) -------+
 *                                                               | reserve: done again, a row of its own (run + 1)
 *                                                               v
 *                                                            reserved
 * ```
 *
 * Each statement commits by itself and keeps `window = sum of its entries`. All lock the windows first (in the order of
 * period and provider) and then the entry: they wait for each other, and never in a circle. Who waits sees what the
 * other one left: the update of a locked row works on its newest version.
 */

/** Common budget of a day and of a month, and what goes to one provider in a day. */
const windowKeys = `(('day', cast(:day as date), ''), ('day', cast(:day as date), :provider),
  ('month', cast(date_trunc('month', cast(:day as date)) as date), ''))`;

/** Makes the three windows of a day and provider. A repeat changes nothing; served by the primary key. */
export async function openWindows(knex: Knex, key: { tenant: string; day: string; provider: string }): Promise<void> {
  await statement(() =>
    knex.raw(
      `insert into budget_windows (tenant, period, starts_on, provider)
       select :tenant, w.* from (values ${windowKeys.slice(1, -1)}) as w(period, starts_on, provider)
       order by 2, 4
       on conflict do nothing`,
      key,
    ),
  );
}

export interface Asked {
  tenant: string;
  effectKey: string;
  provider: string;
  leadId: string | null;
  /** UTC, `2026-11-23`. */
  day: string;
  amountMicro: number;
  /** Of the caps, what this call may fill them to. */
  limits: { day: number; month: number; provider: number | null };
  caps: { day: number; month: number; provider: number | null };
  /** The caller's name for this reservation (a UUID): a statement whose answer was lost can be sent again. */
  reservation: string;
  /** How long the caller may take, ms. */
  holdMs: number;
  /** An effect that was paid, and whose answer is kept nowhere, may be bought again. */
  repeatable: boolean;
  /** Told of a window that was too full: 90 for what is not essential, else 100. */
  refusedLevel: number;
}

export interface Entry {
  run: number;
  state: "reserved" | "settled" | "released" | "presumed";
  reservation: string;
  /** ms since 1970 */
  expiresAt: number;
  costMicro: number;
  answer: unknown;
}
export interface WindowState {
  period: "day" | "month";
  /** "" is all providers together. */
  provider: string;
  usedMicro: number;
  capMicro: number | null;
  fits: boolean;
  /** The level that this statement was the first to reach; 0 for none. */
  rose: 0 | 75 | 90 | 100;
}
export interface Reserved {
  /** Windows found; fewer than three: {@link openWindows} first. */
  windows: WindowState[];
  granted: boolean;
  /** The entry as it stood when the statement began. */
  before: Entry | null;
}

/**
 * Reserves, where every window has room, in one statement: locks the windows, judges their newest figures, writes the
 * entry, moves the sums. Nothing of it happens when one of the windows is too full (but for its `told`) or the entry is
 * settled or in another's hands. Sent again with the same `reservation` it finds its own entry in `before`. One that
 * meets an entry which another transaction wrote meanwhile grants nothing and shows no full window: ask again.
 */
export async function reserve(knex: Knex, asked: Asked): Promise<Reserved> {
  const { limits, caps, ...rest } = asked;
  const { rows } = await statement(() =>
    knex.raw<{ rows: [Reserved] }>(
      `with before as materialized (
         select run, state, reservation, expires_at, cost_micro, answer from budget_entries
         where effect_key = :effectKey and tenant = :tenant order by run desc limit 1
       ),
       free as materialized (
         select not exists (select from before
           where state = 'reserved' or (state = 'settled' and not (cast(:repeatable as boolean) and answer is null))) as free
       ),
       locked as materialized (
         select period, provider, spent_micro + reserved_micro as used, told from budget_windows
         where tenant = :tenant and (period, starts_on, provider) in ${windowKeys}
         order by period, provider
         for no key update
       ),
       judged as materialized (
         select *, cast(:amountMicro as bigint) = 0 or room is null or used + cast(:amountMicro as bigint) <= room as fits
         from (select *,
             cast(case when provider <> '' then :providerLimit when period = 'day' then :dayLimit else :monthLimit end as bigint) as room,
             cast(case when provider <> '' then :providerCap when period = 'day' then :dayCap else :monthCap end as bigint) as cap
           from locked) l
       ),
       verdict as materialized (
         select count(*) = 3 and bool_and(fits) as fits from judged
       ),
       entry as (
         insert into budget_entries as e (tenant, effect_key, run, provider, lead_id, state, reservation, day, reserved_micro, expires_at)
         select :tenant, :effectKey,
           coalesce((select case when state in ('presumed', 'settled') then run + 1 else run end from before), 1),
           :provider, cast(:leadId as uuid), 'reserved', cast(:reservation as uuid), cast(:day as date),
           cast(:amountMicro as bigint), clock_timestamp() + cast(:holdMs as double precision) * interval '1 millisecond'
         from verdict, free where fits and free
         on conflict (effect_key, tenant, run) do update set
           state = 'reserved', reservation = excluded.reservation, day = excluded.day, provider = excluded.provider,
           reserved_micro = excluded.reserved_micro, cost_micro = 0, settled_by = null, answer = null,
           reserved_at = now(), expires_at = excluded.expires_at, closed_at = null
         where e.state = 'released'
         returning run
       ),
       reached as materialized (
         select j.period, j.provider, case
           when cast(:amountMicro as bigint) = 0 or j.cap is null then 0
           when exists (select from entry) then case
             when (j.used + cast(:amountMicro as bigint)) >= j.cap then 100
             when (j.used + cast(:amountMicro as bigint)) * 10 >= j.cap * 9 then 90
             when (j.used + cast(:amountMicro as bigint)) * 4 >= j.cap * 3 then 75
             else 0 end
           -- Of a window that has much room left a refusal says how large the call was, not how full the window is: told
           -- as a level it would keep the warning from ever being told.
           when (select free from free) and not j.fits and j.used * 4 >= j.cap * 3 then :refusedLevel
           else 0 end as level
         from judged j
       ),
       moved as (
         update budget_windows w set
           reserved_micro = w.reserved_micro + case when exists (select from entry) then cast(:amountMicro as bigint) else 0 end,
           told = greatest(w.told, r.level)
         from reached r
         where w.tenant = :tenant and (w.period, w.starts_on, w.provider) in ${windowKeys}
           and w.period = r.period and w.provider = r.provider
           and (exists (select from entry) or r.level > w.told)
       )
       select exists (select from entry) as granted,
         (select json_build_object('run', run, 'state', state, 'reservation', reservation, 'answer', answer,
            'expiresAt', extract(epoch from expires_at) * 1000, 'costMicro', cost_micro) from before) as before,
         coalesce((select json_agg(json_build_object('period', j.period, 'provider', j.provider, 'usedMicro', j.used,
            'capMicro', j.cap, 'fits', j.fits, 'rose', case when r.level > j.told then r.level else 0 end)
            order by j.period, j.provider)
            from judged j join reached r using (period, provider)), '[]') as windows`,
      {
        ...rest,
        dayLimit: limits.day,
        monthLimit: limits.month,
        providerLimit: limits.provider,
        dayCap: caps.day,
        monthCap: caps.month,
        providerCap: caps.provider,
      } as never,
    ),
  );
  return rows[0];
}

export interface Closing {
  tenant: string;
  effectKey: string;
  reservation: string;
  state: "settled" | "released" | "presumed";
  /** What it cost; null: what was reserved. */
  costMicro: number | null;
  by: "caller" | "provider" | "presumption";
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

/**
 * Closes a reservation and moves its sum, in the window of the day it was made in, from reserved to spent (or out). What
 * was presumed to be spent can still be settled or released by the one who held it; everything else that is closed
 * stays as it is, so a repeat is harmless. Served by the primary keys.
 */
export async function close(knex: Knex, closing: Closing): Promise<Closed> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: [Closed] }>(
      `with entry as materialized (
         select state, day, provider, cost_micro, reserved_micro, run from budget_entries
         where effect_key = :effectKey and tenant = :tenant and reservation = cast(:reservation as uuid)
       ),
       locked as materialized (
         select 1 from budget_windows w join entry e on (w.period, w.starts_on, w.provider) in
           (('day', e.day, ''), ('day', e.day, e.provider), ('month', cast(date_trunc('month', e.day) as date), ''))
         where w.tenant = :tenant
         order by w.period, w.provider
         for no key update of w
       ),
       closed as (
         update budget_entries e set state = :state, settled_by = :by, closed_at = now(), answer = cast(:answer as jsonb),
           cost_micro = case when :state = 'released' then 0 else coalesce(cast(:costMicro as bigint), e.reserved_micro) end
         where e.effect_key = :effectKey and e.tenant = :tenant and e.reservation = cast(:reservation as uuid)
           and (select count(*) from locked) = 3
           and (e.state = 'reserved' or (e.state = 'presumed' and :state <> 'presumed'))
         returning e.day, e.provider, e.reserved_micro, new.cost_micro, new.state,
           case when old.state = 'reserved' then e.reserved_micro else 0 end as freed, old.cost_micro as was_spent
       ),
       moved as (
         update budget_windows w set reserved_micro = w.reserved_micro - c.freed,
           spent_micro = w.spent_micro + c.cost_micro - c.was_spent
         from closed c
         where w.tenant = :tenant and (w.period, w.starts_on, w.provider) in
           (('day', c.day, ''), ('day', c.day, c.provider), ('month', cast(date_trunc('month', c.day) as date), ''))
       )
       select exists (select from closed) as changed,
         coalesce((select state from closed), (select state from entry)) as state,
         cast(coalesce((select cost_micro from closed), (select cost_micro from entry), 0) as float8) as "costMicro",
         cast(coalesce((select reserved_micro from entry), 0) as float8) as "reservedMicro"`,
      {
        ...closing,
        by: closing.state === "released" ? null : closing.by,
        answer: closing.answer === undefined ? null : JSON.stringify(closing.answer),
      } as never,
    ),
  );
  return rows[0];
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

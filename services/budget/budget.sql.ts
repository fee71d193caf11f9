import type { Knex } from "knex";
import { planned, statement, unseen } from "../../mixins/knex.ts";

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
 * A statement takes many effects of one tenant, commits by itself and keeps `window = sum of its entries`. All lock the
 * windows first (in the order of period, day and provider) and then the entries (in the order of their keys): they wait
 * for each other, and never in a circle. Who waits sees what the other one left: the update of a locked row works on its
 * newest version. Where no money moves no window is touched.
 */

/** Common budget of a day and of a month, and what goes to one provider in a day. */
const windowKeys = `(('day', cast(:day as date), ''), ('day', cast(:day as date), :provider),
  ('month', cast(date_trunc('month', cast(:day as date)) as date), ''))`;

/**
 * Up to so many effects a statement has one plan for all, and saves the planning, which is most of what it takes; for more
 * it is planned by how many they are: a hundred by the plan for a few take the database 1.7 times as long.
 */
export const few = 5;

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

/** What the reservations of one statement have in common. */
export interface Budget {
  tenant: string;
  provider: string;
  /** UTC, `2026-11-23`. */
  day: string;
}
/** What the windows hold at the most, micro-USD. */
export interface Room {
  day: number;
  month: number;
  provider: number | null;
}
export interface Asked {
  effectKey: string;
  leadId: string | null;
  amountMicro: number;
  /** May fill a window; else the last tenth is left. */
  essential: boolean;
  /** The caller's name for this reservation (a UUID): a statement whose answer was lost can be sent again. */
  reservation: string;
  /** How long the caller may take, ms. */
  holdMs: number;
  /** An effect that was paid, and whose answer is kept nowhere, may be bought again. */
  repeatable: boolean;
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
  /** When the statement had locked it. */
  usedMicro: number;
  capMicro: number | null;
  /** The highest level that was told before, and the one that this statement has reached. */
  told: number;
  level: number;
}
export interface Reserved {
  /** Windows found; fewer than three: {@link openWindows} first. None where nothing costs. */
  windows: WindowState[];
  /** One an effect, in order. */
  effects: {
    granted: boolean;
    /** It was its turn; not granted then: another transaction wrote this entry meanwhile. */
    tried: boolean;
    /** The entry as it stood when the statement began. */
    before: Entry | null;
  }[];
}

const asked = `asked as materialized (
    select * from unnest(cast(:effectKeys as text[]), cast(:leadIds as uuid[]), cast(:reservations as uuid[]),
      cast(:amounts as bigint[]), cast(:essentials as boolean[]), cast(:holds as float8[]), cast(:repeatables as boolean[]))
      with ordinality as a(effect_key, lead_id, reservation, amount, essential, hold_ms, repeatable, n)
  ),
  before as materialized (
    select a.n, e.* from asked a cross join lateral (
      select run, state, reservation, expires_at, cost_micro, answer from budget_entries e
      where e.effect_key = a.effect_key and e.tenant = :tenant order by run desc limit 1
    ) e
  ),
  -- Neither in another's hands nor done.
  free as materialized (
    select a.*, case when b.n is null then 1 when b.state in ('presumed', 'settled') then b.run + 1 else b.run end as run
    from asked a left join before b using (n)
    where b.n is null or b.state in ('released', 'presumed') or (b.state = 'settled' and a.repeatable and b.answer is null)
  )`;

/** Where the others leave none, what is not essential has `room`. */
const most = "case when f.essential then w.cap else w.room end";

/**
 * Whose turn it is: what fits on top of all that are before it, up to the first that does not. It and all behind it are
 * asked again, when it is known what the others have taken. What does not even fit now is left out: it is refused.
 */
const inTurn = `locked as materialized (
    select period, provider, spent_micro + reserved_micro as used, told from budget_windows
    where tenant = :tenant and (period, starts_on, provider) in ${windowKeys}
      -- Every entry is looked up before the first lock (mixins/knex.ts).
      and (select count(*) from before) >= 0
    order by period, starts_on, provider
    for no key update
  ),
  windows as materialized (
    select *,
      cast(case when provider <> '' then :providerCap when period = 'day' then :dayCap else :monthCap end as bigint) as cap,
      cast(case when provider <> '' then :providerRoom when period = 'day' then :dayRoom else :monthRoom end as bigint) as room
    from locked
  ),
  fitting as materialized (
    select *, cast(sum(amount) over (order by n) as bigint) as with_those_before
    from free f where not exists (select from windows w where w.used + f.amount > ${most})
  ),
  turn as materialized (
    select * from fitting where (select count(*) from windows) = 3 and n < coalesce((
      select min(f.n) from fitting f join windows w on w.used + f.with_those_before > ${most}), 9223372036854775807)
  )`;

const entered = `entered as (
    insert into budget_entries as e (tenant, effect_key, run, provider, lead_id, state, reservation, day, reserved_micro, expires_at)
    select :tenant, effect_key, run, :provider, lead_id, 'reserved', reservation, cast(:day as date), amount,
      clock_timestamp() + hold_ms * interval '1 millisecond'
    from turn order by effect_key
    on conflict (effect_key, tenant, run) do update set
      state = 'reserved', reservation = excluded.reservation, day = excluded.day, provider = excluded.provider,
      reserved_micro = excluded.reserved_micro, cost_micro = 0, settled_by = null, answer = null,
      reserved_at = now(), expires_at = excluded.expires_at, closed_at = null
    where e.state = 'released'
    returning effect_key, reserved_micro
  )`;

const moved = `taken as materialized (select cast(coalesce(sum(reserved_micro), 0) as bigint) as micro from entered),
  reached as materialized (
    select w.*, case when w.cap is null then 0 else greatest(
      case
        when micro = 0 then 0
        when w.used + micro >= w.cap then 100
        when (w.used + micro) * 10 >= w.cap * 9 then 90
        when (w.used + micro) * 4 >= w.cap * 3 then 75
        else 0 end,
      -- Of a window that has much room left a refusal says how large the call was, not how full the window is: told
      -- as a level it would keep the warning from ever being told.
      case when w.used * 4 >= w.cap * 3 then coalesce((
        select max(case when f.essential then 100 else 90 end) from free f where w.used + f.amount > ${most}), 0) else 0 end
    ) end as level
    from windows w cross join taken
  ),
  moved as (
    update budget_windows w set reserved_micro = w.reserved_micro + micro, told = greatest(w.told, r.level)
    from reached r cross join taken
    where w.tenant = :tenant and (w.period, w.starts_on, w.provider) in ${windowKeys}
      and w.period = r.period and w.provider = r.provider and (micro > 0 or r.level > w.told)
  )`;

const answered = (windows: string) => `select ${windows} as windows, (
    select json_agg(json_build_object('granted', g.effect_key is not null, 'tried', t.n is not null, 'before',
      case when b.n is not null then json_build_object('run', b.run, 'state', b.state, 'reservation', b.reservation,
        'answer', b.answer, 'expiresAt', extract(epoch from b.expires_at) * 1000, 'costMicro', b.cost_micro) end) order by a.n)
    from asked a left join before b using (n) left join turn t using (n) left join entered g on g.effect_key = a.effect_key
  ) as effects`;

const reserveSql = `with ${asked}, ${inTurn}, ${entered}, ${moved}
  ${answered(`coalesce((select json_agg(json_build_object('period', period, 'provider', provider, 'usedMicro', used,
    'capMicro', cap, 'told', told, 'level', level) order by period, provider) from reached), '[]')`)}`;
const reserveFewSql = unseen(reserveSql);
const reserveFreeSql = `with ${asked}, turn as materialized (select * from free), ${entered} ${answered("cast('[]' as json)")}`;
const reserveFewFreeSql = unseen(reserveFreeSql);

/**
 * Reserves, where every window has room, in one statement: locks the windows, judges their newest figures, writes the
 * entries, moves the sums. No two of the effects may be one. Sent again with the same `reservation` an effect finds its
 * own entry in `before`. Granted are those that fit on top of all granted before them; refused is what does not fit into
 * a window as the statement found it; what is neither (and not done, nor held by another) must be asked again.
 */
export async function reserve(
  knex: Knex,
  budget: Budget,
  { caps, rooms }: { caps: Room; rooms: Room },
  effects: readonly Asked[],
): Promise<Reserved> {
  const bindings = {
    ...bindingsOf(budget, effects),
    ...{ dayCap: caps.day, monthCap: caps.month, providerCap: caps.provider },
    ...{ dayRoom: rooms.day, monthRoom: rooms.month, providerRoom: rooms.provider },
  };
  const { rows } = await statement(() => {
    if (effects.length > few) return knex.raw<{ rows: [Reserved] }>(reserveSql, bindings as never);
    return planned("budget_reserve", knex.raw<{ rows: [Reserved] }>(reserveFewSql, bindings as never));
  });
  return rows[0];
}

/** The same for effects that cost nothing: they always fit, and no window is locked or looked at for them. */
export async function reserveFree(knex: Knex, budget: Budget, effects: readonly Asked[]): Promise<Reserved> {
  const bindings = bindingsOf(budget, effects);
  const { rows } = await statement(() => {
    if (effects.length > few) return knex.raw<{ rows: [Reserved] }>(reserveFreeSql, bindings as never);
    return planned("budget_reserve_free", knex.raw<{ rows: [Reserved] }>(reserveFewFreeSql, bindings as never));
  });
  return rows[0];
}

function bindingsOf(budget: Budget, effects: readonly Asked[]) {
  return {
    ...budget,
    effectKeys: effects.map((e) => e.effectKey),
    leadIds: effects.map((e) => e.leadId),
    reservations: effects.map((e) => e.reservation),
    amounts: effects.map((e) => e.amountMicro),
    essentials: effects.map((e) => e.essential),
    holds: effects.map((e) => e.holdMs),
    repeatables: effects.map((e) => e.repeatable),
  };
}

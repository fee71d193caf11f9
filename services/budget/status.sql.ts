import type { Knex } from "knex";
import { shardOf, statement } from "../../mixins/knex.ts";
import type { BudgetChoice } from "./caps.ts";

/** What a tenant has chosen, as it stands in `tenants.settings`; undefined for a tenant that has chosen nothing. */
export async function choiceOf(knex: Knex, tenant: string): Promise<unknown> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: { budget: unknown }[] }>(`select settings -> 'budget' as budget from tenants where tenant = ?`, [
      tenant,
    ]),
  );
  return rows[0]?.budget ?? undefined;
}

/** Writes a tenant's choice over the one before; a field that is absent goes back to the settings' figure. */
export async function writeChoice(knex: Knex, tenant: string, choice: BudgetChoice): Promise<void> {
  await statement(() =>
    knex.raw(
      `insert into tenants as t (tenant, shard, settings) values (?, ?, jsonb_build_object('budget', cast(? as jsonb)))
       on conflict (tenant) do update set settings = t.settings || excluded.settings`,
      [tenant, shardOf(tenant), JSON.stringify(choice)],
    ),
  );
}

export interface WindowRow {
  tenant: string;
  period: "day" | "month";
  /** "" is all providers together. */
  provider: string;
  reservedMicro: number;
  spentMicro: number;
  told: number;
}

/** The windows of a day and its month that something was spent in, of one tenant or of all. Served by the primary key for one. */
export async function windowsOf(knex: Knex, day: string, tenant?: string): Promise<WindowRow[]> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: WindowRow[] }>(
      `select tenant, period, provider, cast(reserved_micro as float8) as "reservedMicro",
         cast(spent_micro as float8) as "spentMicro", told
       from budget_windows
       where ${tenant === undefined ? "" : "tenant = :tenant and"}
         ((period = 'day' and starts_on = cast(:day as date))
           or (period = 'month' and starts_on = cast(date_trunc('month', cast(:day as date)) as date)))
       order by tenant, period, provider`,
      { day, ...(tenant === undefined ? {} : { tenant }) },
    ),
  );
  return rows;
}

/**
 * How many tenants have reached each level in the day and its month, all providers together. Reads every tenant's two
 * windows of the day; no index leads with the day, so the table is read: it is asked a few times a minute by one service.
 */
export async function levelsOf(
  knex: Knex,
  day: string,
): Promise<{ window: "day" | "month"; level: number; tenants: number }[]> {
  const { rows } = await statement(() =>
    knex.raw(
      `select p.period as window, l.level, cast(count(w.tenant) as int) as tenants
       from (values ('day', cast(:day as date)), ('month', cast(date_trunc('month', cast(:day as date)) as date)))
           as p(period, starts_on)
         cross join (values (75), (90), (100)) as l(level)
         left join budget_windows w on w.period = p.period and w.starts_on = p.starts_on and w.provider = ''
           and w.told >= l.level
       group by 1, 2 order by 1, 2`,
      { day },
    ),
  );
  return rows;
}

export interface Tally {
  tenant: string;
  /** Effects of the day that were done or are under way, those that cost nothing among them. */
  calls: number;
  /** Of these, done again: a crash had left the first one's fate unknown, or its answer was kept nowhere and asked for once more. */
  repeats: number;
  /** Whose fate nobody knows; counted as spent. */
  presumed: number;
  open: number;
}

/** What a day's entries are, by tenant. Served by budget_entries_of_day for one tenant. */
export async function talliesOf(knex: Knex, day: string, tenant?: string): Promise<Tally[]> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: Tally[] }>(
      `select tenant, cast(count(*) filter (where state <> 'released') as float8) as calls,
         cast(count(*) filter (where run > 1 and state <> 'released') as float8) as repeats,
         cast(count(*) filter (where state = 'presumed') as float8) as presumed,
         cast(count(*) filter (where state = 'reserved') as float8) as open
       from budget_entries
       where ${tenant === undefined ? "" : "tenant = :tenant and"} day = cast(:day as date)
       group by tenant order by tenant`,
      { day, ...(tenant === undefined ? {} : { tenant }) },
    ),
  );
  return rows;
}

/** Windows that are not the sum of their entries: there must never be one. Reads all entries. */
export async function driftOf(
  knex: Knex,
): Promise<{ tenant: string; period: string; startsOn: string; provider: string }[]> {
  const { rows } = await statement(() =>
    knex.raw(
      `with sums as (
         select tenant, period, starts_on, provider, sum(reserved) as reserved, sum(spent) as spent
         from (select tenant, day, provider as of_provider, cost_micro as spent,
             case when state = 'reserved' then reserved_micro else 0 end as reserved from budget_entries) e
         cross join lateral (values ('day', day, ''), ('day', day, of_provider),
           ('month', cast(date_trunc('month', day) as date), '')) as w(period, starts_on, provider)
         group by tenant, period, starts_on, provider
       )
       select tenant, period, to_char(starts_on, 'YYYY-MM-DD') as "startsOn", provider
       from budget_windows w full join sums s using (tenant, period, starts_on, provider)
       where coalesce(w.reserved_micro, 0) <> coalesce(s.reserved, 0) or coalesce(w.spent_micro, 0) <> coalesce(s.spent, 0)
       order by 1, 3, 2, 4`,
    ),
  );
  return rows;
}

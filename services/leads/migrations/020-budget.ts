import type { Knex } from "knex";

const partitions = 8;

/**
 * The ledger of what is spent on providers. Money is micro-USD. `budget_windows` is what is counted against a cap;
 * `budget_entries` says what each sum is made of: a window is the sum of its entries, at any moment.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- What a tenant has chosen for itself, by subject: { "budget": { … } }.
    alter table tenants add column if not exists settings jsonb not null default '{}';

    -- One row a tenant, period and provider; provider '' is all of them together. Days and months are UTC's.
    create table budget_windows (
      tenant text not null,
      period text not null check (period in ('day', 'month')),
      starts_on date not null,
      provider text not null,
      -- No check: PostgreSQL holds one against a new version made from the statement's snapshot, before it notices that the
      -- row has moved on and makes another: it would refuse what is right.
      reserved_micro bigint not null default 0,
      spent_micro bigint not null default 0,
      -- The highest level that was told of this window: 75 (a warning), 90, 100; 0 for none.
      told smallint not null default 0,
      primary key (tenant, starts_on, period, provider)
    ) with (fillfactor = 50);

    -- One row an effect, and one more for each time that its fate was lost in a crash and it was done again.
    create table budget_entries (
      tenant text not null,
      effect_key text not null,
      run smallint not null default 1,
      provider text not null,
      lead_id uuid,
      state text not null check (state in ('reserved', 'settled', 'released', 'presumed')),
      -- Who says what it cost: the one who called, the provider, or nobody (it is presumed to be spent).
      settled_by text check (settled_by in ('caller', 'provider', 'presumption')),
      -- Names the holder: whoever was declared dead cannot settle what another has reserved meanwhile.
      reservation uuid not null,
      day date not null,
      reserved_micro bigint not null check (reserved_micro >= 0),
      cost_micro bigint not null default 0 check (cost_micro >= 0),
      -- What was bought, where it is small, so that a repeat need not buy it again.
      answer jsonb,
      reserved_at timestamptz not null default now(),
      expires_at timestamptz not null,
      closed_at timestamptz,
      primary key (effect_key, tenant, run)
    ) partition by hash (effect_key);
    create index budget_entries_open on budget_entries (expires_at) where state = 'reserved';
    create index budget_entries_of_day on budget_entries (tenant, day);
  `);
  for (let n = 0; n < partitions; n++) {
    await knex.raw(
      `create table budget_entries_p${n} partition of budget_entries for values with (modulus ${partitions}, remainder ${n}) with (fillfactor = 85)`,
    );
  }
}

/** `tenants.settings` stays: it is not the ledger's alone. */
export async function down(knex: Knex): Promise<void> {
  await knex.raw("drop table budget_entries, budget_windows");
}

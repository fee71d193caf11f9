import type { Knex } from "knex";

const partitions = { leads: 16, lead_keys: 16, acceptances: 8, outbox: 8, mail_claims: 8 } as const;

/**
 * The record. The tenant stands in every key. `leads` and what hangs on it are hash-partitioned by lead id; matching
 * keys and mail claims, which must be unique over all leads of a tenant, by their own value.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table tenants (
      tenant text primary key,
      shard smallint not null check (shard between 0 and 63),
      created_at timestamptz not null default now()
    );
    create table shards (
      shard smallint primary key check (shard between 0 and 63),
      database text not null
    );
    insert into shards select n, 'main' from generate_series(0, 63) n;

    -- Every lead that was ever accepted, once. Conservation is counted against it.
    create table acceptances (
      tenant text not null,
      lead_id uuid not null,
      accepted_at timestamptz not null,
      import_id uuid,
      primary key (lead_id, tenant)
    ) partition by hash (lead_id);

    -- revision and step order the tellings of a lead: a checkpoint never moves one backwards.
    create table leads (
      tenant text not null,
      lead_id uuid not null,
      revision bigint not null,
      step smallint not null,
      state text not null check (state in ('in_progress', 'completed', 'merged', 'rejected', 'dead', 'discarded', 'erased')),
      reason text,
      stage text not null,
      source text not null,
      source_id text,
      trust smallint not null,
      tier smallint not null,
      name text not null,
      email text,
      phone text,
      website text,
      domain text,
      city text,
      region text,
      zip text,
      country text,
      vertical text,
      fields jsonb not null,
      -- field -> { trust, source }: where each value that a merge chose came from
      provenance jsonb not null default '{}',
      warnings jsonb,
      facts jsonb not null default '{}',
      score smallint,
      score_detail jsonb,
      mockup jsonb,
      merged_into uuid,
      timeline jsonb not null default '[]',
      accepted_at timestamptz not null,
      updated_at timestamptz not null default now(),
      has_mockup boolean generated always as (mockup is not null) virtual,
      primary key (lead_id, tenant)
    ) partition by hash (lead_id);
    create index leads_by_time on leads (tenant, accepted_at desc, lead_id desc);
    create index leads_by_state on leads (tenant, state, accepted_at desc, lead_id desc);
    create index leads_by_score on leads (tenant, score desc, lead_id desc) where score is not null;
    create index leads_by_winner on leads (tenant, merged_into) where merged_into is not null;

    -- Who owns a matching key. The value is the first 128 bits of a SHA-256; inserting a key that another transaction
    -- inserts at the same moment waits for it: that is what makes doubles meet.
    create table lead_keys (
      tenant text not null,
      kind smallint not null,
      value uuid not null,
      lead_id uuid not null,
      primary key (value, tenant, kind)
    ) partition by hash (value, tenant, kind);

    -- Every merge, with what it overwrote, so that it can be undone.
    create table merges (
      tenant text not null,
      merge_id bigint generated always as identity,
      winner uuid not null,
      loser uuid not null,
      evidence jsonb not null,
      winner_before jsonb not null,
      loser_before jsonb not null,
      at timestamptz not null default now(),
      undone_at timestamptz,
      primary key (tenant, merge_id)
    );
    create index merges_by_loser on merges (tenant, loser);
    create index merges_by_winner on merges (tenant, winner);

    -- One e-mail a tenant, campaign and address: whoever inserts the claim writes it.
    create table mail_claims (
      tenant text not null,
      campaign text not null,
      address bytea not null,
      lead_id uuid not null,
      claimed_at timestamptz not null default now(),
      primary key (address, tenant, campaign)
    ) partition by hash (address, tenant, campaign);
    create table outbox (
      tenant text not null,
      lead_id uuid not null,
      campaign text not null,
      state text not null default 'written',
      recipient text not null,
      subject text not null,
      html text not null,
      body text not null,
      written_at timestamptz not null default now(),
      primary key (lead_id, tenant, campaign)
    ) partition by hash (lead_id);
    create index outbox_by_time on outbox (tenant, written_at desc, lead_id desc);
    create table suppressions (
      tenant text not null,
      address bytea not null,
      reason text not null,
      at timestamptz not null default now(),
      primary key (tenant, address)
    );
  `);
  // A lead's row takes 2 kB: kept in one piece. At the default of 2 kB each write compressed its JSON and moved it out.
  for (const [table, count] of Object.entries(partitions)) {
    for (let n = 0; n < count; n++) {
      await knex.raw(
        `create table ${table}_p${n} partition of ${table} for values with (modulus ${count}, remainder ${n}) with (autovacuum_vacuum_scale_factor = 0.05, fillfactor = 85, toast_tuple_target = 8160)`,
      );
    }
  }
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(
    "drop table suppressions, outbox, mail_claims, merges, lead_keys, leads, acceptances, shards, tenants",
  );
}

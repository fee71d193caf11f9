import type { Knex } from "knex";

const partitions = 16n;

/**
 * Blocking keys as numbers, one narrow row a lead and key, in the place of one wide row a key. Rows are only ever added,
 * and taken away with their lead: none is locked or written over, and nothing is unique. `leads.keys` says which ones a
 * lead has, so that they are found by the lead too without a second index. The tenant is part of what a key is the hash
 * of; being hashes, keys fill ranges of equal size evenly, and a range of keys (services/dedupe/keys.ts) is in one part.
 *
 * The keys before cannot be turned into these: whose leads had some is written down in `leads_to_key`, and `rekeyLeads`
 * (services/dedupe/rekey.sql.ts), which every command that migrates runs next, gives them theirs.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table leads_to_key (
      lead_id uuid not null,
      tenant text not null,
      primary key (lead_id, tenant)
    );
    insert into leads_to_key
      select distinct id, tenant from lead_keys cross join lateral unnest(lead_id || others) id;
    drop table lead_keys;
    alter table leads add column keys bigint[];

    create table lead_keys (
      key bigint not null,
      lead_id uuid not null
    ) partition by range (key);
    create index lead_keys_by_key on lead_keys (key);
  `);
  const width = 2n ** 64n / partitions;
  const first = -(2n ** 63n);
  for (let n = 0n; n < partitions; n++) {
    const from = n === 0n ? "minvalue" : first + n * width;
    const to = n === partitions - 1n ? "maxvalue" : first + (n + 1n) * width;
    await knex.raw(`create table lead_keys_p${n} partition of lead_keys for values from (${from}) to (${to})`);
  }
}

/** The keys before are gone: leads get theirs when they are told again. */
export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table lead_keys, leads_to_key;
    alter table leads drop column keys;
    create table lead_keys (
      tenant text not null,
      kind smallint not null,
      value uuid not null,
      lead_id uuid not null,
      others uuid[] not null default '{}',
      primary key (value, tenant, kind)
    ) partition by hash (value, tenant, kind);
  `);
  for (let n = 0n; n < partitions; n++) {
    await knex.raw(
      `create table lead_keys_p${n} partition of lead_keys for values with (modulus ${partitions}, remainder ${n})`,
    );
  }
}

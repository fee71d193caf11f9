import type { Knex } from "knex";

const partitions = 8;

/**
 * What listing providers told of a business, as it came: the last telling of each listing, by the key that its lead has
 * (`source_id` is the lead's id for a listing without one of its own), so that whoever erases a lead finds it.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table listing_raw (
      tenant text not null,
      source text not null,
      source_id text not null,
      answer jsonb not null,
      received_at timestamptz not null default now(),
      primary key (source_id, tenant, source)
    ) partition by hash (source_id);
    -- What is too old is swept by this.
    create index listing_raw_by_time on listing_raw (received_at);
  `);
  for (let n = 0; n < partitions; n++) {
    await knex.raw(
      `create table listing_raw_p${n} partition of listing_raw for values with (modulus ${partitions}, remainder ${n}) with (autovacuum_vacuum_scale_factor = 0.05)`,
    );
  }
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("drop table listing_raw");
}

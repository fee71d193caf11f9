import type { Knex } from "knex";

/**
 * Makes the primary keys of `leads` and `outbox` again, so that they are the newest of their tables' indexes. A plan that is
 * made while a record is new, or small, finds one page in each index: finding a lead by (lead_id, tenant) then seems to cost
 * the same by `leads_by_state (tenant, …, lead_id)`, which has both columns but reads all of the tenant's. Of equals
 * PostgreSQL takes the newest, and a plan that is kept (mixins/knex.ts `planned`) stays until the table is analyzed: the
 * first minutes' imports read every lead of the tenant for each lead. `leads_by_winner` comes last, as what it serves could
 * else be read by the tenant of the primary key. Whoever adds an index that ends in `lead_id` does this again;
 * test/mesh/young-record.test.ts would find it out.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table leads drop constraint leads_pkey, add primary key (lead_id, tenant);
    drop index leads_by_winner;
    create index leads_by_winner on leads (tenant, merged_into) where merged_into is not null;
    alter table outbox drop constraint outbox_pkey, add primary key (lead_id, tenant, campaign);
  `);
}

/** The tables are as they were. */
export async function down(): Promise<void> {}

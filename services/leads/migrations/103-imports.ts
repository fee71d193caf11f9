import type { Knex } from "knex";

/**
 * How far an import is. A sample of its leads is the first of them in the order of a hash of their ids: uniform, whatever the
 * ids are, and read by the index alone. Who is erased is no more traced to an import; that one was is counted.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create index acceptances_by_import on acceptances (import_id, uuid_hash(lead_id)) where import_id is not null;
    create table import_erasures (
      tenant text not null,
      import_id uuid not null,
      leads bigint not null,
      primary key (import_id, tenant)
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("drop table import_erasures; drop index acceptances_by_import");
}

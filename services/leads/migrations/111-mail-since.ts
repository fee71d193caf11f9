import type { Knex } from "knex";

/** Since when a tenant may send what it was kept from sending: an e-mail is late from then on, not from when it was due. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw("alter table mail_tenants add column sends_since timestamptz");
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("alter table mail_tenants drop column sends_since");
}

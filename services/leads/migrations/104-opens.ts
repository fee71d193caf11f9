import type { Knex } from "knex";

/**
 * Was an e-mail opened? When, how often and from where is not kept: the figures need none of it. No lead is noted to be
 * counted anew, as nobody has told of an open before.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table outbox add column opened boolean not null default false;
    alter table analytics_leads add column opened boolean not null default false;
    alter table analytics_days add column opened bigint not null default 0;
    alter table analytics_zips add column opened bigint not null default 0;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table analytics_zips drop column opened;
    alter table analytics_days drop column opened;
    alter table analytics_leads drop column opened;
    alter table outbox drop column opened;
  `);
}

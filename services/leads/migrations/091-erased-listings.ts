import type { Knex } from "knex";

/** Under which keys an erased person was listed: the rows that said so are empty when answers are looked for again. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table erasures
      -- SHA-256 of source and source id, until the erasure is finished.
      add column listings bytea[] not null default '{}'`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("alter table erasures drop column listings");
}

import type { Knex } from "knex";

/** The work list of `source`: one row an item of work (a listing, a postal code, a vertical), and how far it came. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table source_work (
      tenant text not null,
      work_id uuid not null,
      provider text not null,
      listing text not null,
      zip text not null,
      vertical text not null,
      -- When it was opened, ms since 1970: an item that is done can be opened again later.
      round bigint not null,
      state text not null check (state in ('open', 'done')),
      -- Where the next page begins, as the provider said; null at the beginning.
      cursor text,
      listings bigint not null default 0,
      accepted bigint not null default 0,
      refused bigint not null default 0,
      holder uuid,
      lease_until timestamptz,
      finished_at timestamptz,
      primary key (tenant, work_id)
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("drop table source_work");
}

import type { Knex } from "knex";

/**
 * Keys of several leads. `lead_id` brought the key; `others` are those that came later, up to the bound of
 * services/dedupe/keys.ts. `leads.own` is what a lead told itself, where a merge has written other fields over it: what
 * leads are compared on. Keys of the kinds before, which were exact and had one owner, are of no use any more.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    delete from lead_keys where kind > 1;
    alter table lead_keys add column others uuid[] not null default '{}';
    alter table leads add column own jsonb;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("alter table leads drop column own; alter table lead_keys drop column others");
}

import type { Knex } from "knex";

/** Letters of leads that died, and became doubles of others before they were put back. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table dead_letters drop constraint dead_letters_state_check,
      add constraint dead_letters_state_check check (state in ('dead', 'claimed', 'redriven', 'discarded', 'gone', 'merged'));
    -- Those whose message is still in the stream.
    create index dead_letters_merged on dead_letters (seq) where state = 'merged' and closed_at is null;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop index dead_letters_merged;
    update dead_letters set state = 'gone', closed_at = coalesce(closed_at, now()) where state = 'merged';
    alter table dead_letters drop constraint dead_letters_state_check,
      add constraint dead_letters_state_check check (state in ('dead', 'claimed', 'redriven', 'discarded', 'gone'));
  `);
}

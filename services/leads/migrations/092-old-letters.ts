import type { Knex } from "knex";

/** What is over is swept by these, oldest first; operations by operations_by_time. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create index dead_letters_closed on dead_letters (closed_at) where closed_at is not null;
    create index dead_letter_jobs_ended on dead_letter_jobs (ended_at) where swept;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("drop index dead_letters_closed, dead_letter_jobs_ended");
}

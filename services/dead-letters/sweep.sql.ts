import type { Knex } from "knex";
import { statement } from "../../mixins/knex.ts";

/** Jobs that ended longer than `restMs` ago and whose markers still stand, by dead_letter_jobs_open. */
export async function unsweptJobs(knex: Knex, restMs: number): Promise<string[]> {
  const { rows } = await statement(() =>
    knex.raw(
      `select job_id from dead_letter_jobs
       where not swept and state <> 'running' and ended_at < now() - make_interval(secs => ?::float8 / 1000) limit 10`,
      [restMs],
    ),
  );
  return rows.map(({ job_id }: { job_id: string }) => job_id);
}

export async function noteSwept(knex: Knex, id: string): Promise<void> {
  await statement(() => knex.raw("update dead_letter_jobs set swept = true where job_id = ?", [id]));
}

/**
 * Takes away at most `limit` jobs that ended longer than so many days ago and have no marker left; answers how many. By
 * dead_letter_jobs_ended; rows that another has in hand are passed over.
 */
export async function sweepJobs(knex: Knex, days: number, limit: number): Promise<number> {
  const { rowCount } = await knex.raw<{ rowCount: number }>(
    `delete from dead_letter_jobs j using (
       select job_id from dead_letter_jobs where swept and ended_at < now() - make_interval(days => ?)
       order by ended_at limit ? for update skip locked
     ) old
     where j.job_id = old.job_id`,
    [days, limit],
  );
  return rowCount;
}

import type { Knex } from "knex";

/**
 * What operators work with: an index of the dead letters, the jobs that put them back or away, and the log of all that
 * operators do. The letters themselves stand in the stream, which stays the truth; here is what lists and filters them.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One row a dead letter, written by the recorder next to the mark on its lead. Holds nothing of what the lead says.
    create table dead_letters (
      -- '' for a message that is nobody's.
      tenant text not null,
      -- Where it stands in the stream, and when the stream took it: a stream made anew gives sequences again.
      seq bigint not null,
      died_at timestamptz not null,
      kind text not null check (kind in ('lead', 'work', 'foreign')),
      stage text not null,
      lane text,
      error_type text not null,
      -- The lead, or the item of work.
      lead_id uuid,
      attempts integer not null,
      -- claimed: a job has it in hand. gone: the stream does not hold it any more.
      state text not null default 'dead' check (state in ('dead', 'claimed', 'redriven', 'discarded', 'gone')),
      job_id uuid,
      -- Which of the job's claims took it.
      claim bigint,
      closed_at timestamptz,
      primary key (seq, tenant, died_at)
    );
    create index dead_letters_open on dead_letters (tenant, stage, error_type, died_at, seq) where state = 'dead';
    create index dead_letters_by_time on dead_letters (died_at, seq) where state = 'dead';
    create index dead_letters_of_lead on dead_letters (lead_id, tenant) where lead_id is not null;
    create index dead_letters_claimed on dead_letters (job_id) where state = 'claimed';

    -- How many are open, by what they are filtered by: kept by the statements that open and close them.
    create table dead_letter_counts (
      tenant text not null,
      stage text not null,
      error_type text not null,
      open bigint not null,
      primary key (tenant, stage, error_type)
    ) with (fillfactor = 50);

    -- Redrives and discards. A job is one holder's at a time, by a lease; whoever comes after it goes on where it was.
    create table dead_letter_jobs (
      job_id uuid primary key,
      -- '*': every tenant's.
      tenant text not null,
      kind text not null check (kind in ('redrive', 'discard')),
      filter jsonb not null,
      -- Fields of the lead; emptied when the job ends.
      patch jsonb,
      reason text,
      by text not null,
      operation_id uuid not null,
      -- Letters a second; null: as fast as it goes.
      rate integer,
      -- Letters at the most.
      most bigint,
      -- The stream's last sequence when it was asked for: what dies later, a redriven lead again among them, is not meant.
      until_seq bigint not null,
      -- How many it was about when it was asked for.
      matched bigint not null,
      state text not null default 'running' check (state in ('running', 'done', 'cancelled')),
      -- The last letter that was claimed.
      at_died timestamptz,
      at_seq bigint,
      claims bigint not null default 0,
      claimed bigint not null default 0,
      redriven bigint not null default 0,
      discarded bigint not null default 0,
      -- Left as they are, by why.
      left_dead jsonb not null default '{}',
      holder uuid,
      lease_until timestamptz,
      created_at timestamptz not null default now(),
      -- What it has in hand is finished, and no more.
      cancelled_at timestamptz,
      ended_at timestamptz,
      -- Its markers have been taken out of the mailboxes.
      swept boolean not null default false
    );
    create index dead_letter_jobs_open on dead_letter_jobs (created_at) where state = 'running' or not swept;
    create index dead_letter_jobs_by_time on dead_letter_jobs (tenant, created_at desc, job_id desc);

    -- What operators did: who, when, what, on what, and what came of it.
    create table operations (
      operation_id uuid primary key,
      -- '' for what is everybody's.
      tenant text not null,
      at timestamptz not null,
      by text not null,
      what text not null,
      target text not null,
      detail jsonb not null default '{}',
      -- null: not known yet, or its process died on the way.
      result text,
      ended_at timestamptz
    );
    create index operations_by_time on operations (at desc, operation_id desc);
    create index operations_of_tenant on operations (tenant, at desc, operation_id desc);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("drop table operations, dead_letter_jobs, dead_letter_counts, dead_letters");
}

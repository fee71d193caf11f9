import type { Knex } from "knex";

/**
 * What people are asked, and what they said. A pair of leads is asked about once; what was decided of it, here or by an
 * unmerge, holds for ever. No personal data: ids, and the levels at which fields agreed.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table reviews (
      tenant text not null,
      low uuid not null,
      high uuid not null,
      review_id uuid not null,
      state text not null check (state in ('open', 'merged', 'apart')),
      -- doubt: between the thresholds. conflict: the same, but one of them is a lead that the other is kept apart from.
      -- unmerge: their merge was undone.
      ground text not null check (ground in ('doubt', 'conflict', 'unmerge')),
      weight real,
      -- [{ level, weight }], as services/dedupe/weights.ts names them
      evidence jsonb not null default '[]',
      opened_at timestamptz not null default now(),
      decided_at timestamptz,
      check (low < high),
      primary key (tenant, low, high)
    );
    create unique index reviews_by_id on reviews (tenant, review_id);
    create index reviews_by_state on reviews (tenant, state, opened_at desc, review_id desc);
    create index reviews_by_high on reviews (tenant, high);

    -- A merge is undone by what each lead tells itself, and needs nobody's fields kept a second time.
    alter table merges drop column winner_before;
    update merges set loser_before = jsonb_build_object('children', '[]'::jsonb) || loser_before - 'fields' - 'provenance';

    -- Leads that an unmerge has put back on their way, and that no mailbox has yet.
    create table resumes (
      tenant text not null,
      lead_id uuid not null,
      at timestamptz not null default now(),
      primary key (lead_id, tenant)
    );
  `);
}

/** What merges had overwritten is gone: those of before cannot be undone by what runs on the older tables. */
export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table reviews, resumes;
    alter table merges add column winner_before jsonb not null default '{}';
  `);
}

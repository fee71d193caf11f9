import type { Knex } from "knex";

const partitions = 8;
/** What leads are counted by (services/analytics/measures.ts). A score of 100 counts among those from 90 on. */
const measures = [
  ...["taken_in", "in_progress", "completed", "merged", "rejected", "dead", "discarded", "erased"],
  ...Array.from({ length: 10 }, (_, bin) => `scored_${bin}`),
  ...["mocked_up", "mailed", "bounced", "complained", "unsubscribed", "mail_unknown", "cost_micro"],
];

/**
 * Business figures (services/analytics). Whoever changes a lead, its e-mail or its cost notes which lead it was, in the
 * same statement: one trigger a statement, one narrow row a lead, no index. One counter takes the notes away and counts
 * those leads anew. The triggers stand at the tables, so that no statement can forget one.
 */
export async function up(knex: Knex): Promise<void> {
  const sums = measures.map((column) => `${column} bigint not null default 0`).join(",\n      ");
  await knex.raw(`
    -- Leads to be counted anew. Taken away as they are counted, so that what commits late is met late, and never missed.
    create table analytics_changes (
      tenant text not null,
      -- null: a cost that is no lead's.
      lead_id uuid,
      -- Of the cost, and the day it is booked on (UTC).
      cost_micro bigint not null default 0,
      day date
    );

    -- As what a lead is counted: what is taken off the sums when it is counted anew.
    create table analytics_leads (
      tenant text not null,
      lead_id uuid not null,
      day date not null,
      source text not null,
      vertical text not null,
      zip text not null,
      -- null: it is not on record, and only costs.
      state text,
      score smallint,
      -- The rules that fired, as analytics_rules names them.
      rules bigint[] not null,
      mocked_up boolean not null,
      mailed boolean not null,
      bounced boolean not null,
      complained boolean not null,
      unsubscribed boolean not null,
      unknown boolean not null,
      cost_micro bigint not null,
      primary key (lead_id, tenant)
    ) partition by hash (lead_id);

    -- The sums. Nothing of one lead's: a row that has come down to nothing is taken away.
    create table analytics_days (
      tenant text not null,
      day date not null,
      source text not null,
      vertical text not null,
      ${sums},
      primary key (tenant, day, source, vertical)
    ) with (fillfactor = 50);
    create table analytics_zips (
      tenant text not null,
      day date not null,
      zip text not null,
      ${sums},
      primary key (tenant, day, zip)
    ) with (fillfactor = 50);
    create table analytics_rules (
      rule_id bigint primary key,
      -- { name, points | multiplier }
      fired jsonb not null
    );
    create table analytics_rule_days (
      tenant text not null,
      day date not null,
      rule_id bigint not null,
      leads bigint not null,
      -- The sum of the scores of these leads.
      scores bigint not null,
      primary key (tenant, day, rule_id)
    ) with (fillfactor = 50);
    -- One row: all that was committed before is counted.
    create table analytics_counted (at timestamptz not null);
    insert into analytics_counted values ('epoch');

    create function analytics_note() returns trigger language plpgsql as $$ begin
      insert into analytics_changes (tenant, lead_id) select tenant, lead_id from changed;
      return null;
    end $$;
    create function analytics_note_costs() returns trigger language plpgsql as $$ begin
      insert into analytics_changes (tenant, lead_id, day, cost_micro)
        select tenant, lead_id, day, sum(cost_micro) from (
          select tenant, lead_id, day, cost_micro from now_is
          union all select tenant, lead_id, day, -cost_micro from was
        ) c group by tenant, lead_id, day having sum(cost_micro) <> 0;
      return null;
    end $$;
    -- Who unsubscribed is found by the claim of its address.
    create function analytics_note_unsubscribed() returns trigger language plpgsql as $$ begin
      insert into analytics_changes (tenant, lead_id)
        select c.tenant, c.lead_id from changed s join mail_claims c on c.address = s.address and c.tenant = s.tenant
        where s.reason = 'unsubscribed';
      return null;
    end $$;
    create trigger analytics_inserted after insert on leads
      referencing new table as changed for each statement execute function analytics_note();
    create trigger analytics_updated after update on leads
      referencing new table as changed for each statement execute function analytics_note();
    create trigger analytics_deleted after delete on leads
      referencing old table as changed for each statement execute function analytics_note();
    -- An e-mail that is only written is not counted: its insertion is not noted.
    create trigger analytics_updated after update on outbox
      referencing new table as changed for each statement execute function analytics_note();
    create trigger analytics_updated after update on budget_entries
      referencing old table as was new table as now_is for each statement execute function analytics_note_costs();
    create trigger analytics_inserted after insert on suppressions
      referencing new table as changed for each statement execute function analytics_note_unsubscribed();
  `);
  for (let n = 0; n < partitions; n++)
    await knex.raw(
      `create table analytics_leads_p${n} partition of analytics_leads for values with (modulus ${partitions}, remainder ${n}) with (fillfactor = 85)`,
    );
  // What was there before is counted like everything else. The triggers keep writers out until this is committed.
  await knex.raw(`
    insert into analytics_changes (tenant, lead_id) select tenant, lead_id from leads;
    insert into analytics_changes (tenant, lead_id, day, cost_micro)
      select tenant, lead_id, day, sum(cost_micro) from budget_entries where cost_micro <> 0 group by tenant, lead_id, day;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop trigger analytics_inserted on leads;
    drop trigger analytics_updated on leads;
    drop trigger analytics_deleted on leads;
    drop trigger analytics_updated on outbox;
    drop trigger analytics_updated on budget_entries;
    drop trigger analytics_inserted on suppressions;
    drop function analytics_note(), analytics_note_costs(), analytics_note_unsubscribed();
    drop table analytics_changes, analytics_leads, analytics_days, analytics_zips, analytics_rules, analytics_rule_days,
      analytics_counted;
  `);
}

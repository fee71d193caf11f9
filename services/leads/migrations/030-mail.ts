import type { Knex } from "knex";

/**
 * Sending. An e-mail of the outbox waits in its row (`written`, `due_at`), so that a waiting one holds no worker; a
 * sender leases it (`claimed`), says that it hands it over (`sending`) and what came of it.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table outbox
      add column address bytea,
      add column domain text,
      add column time_zone text,
      add column message_id text,
      add column unsubscribe_url text,
      -- Null: it has no postal address in its foot, and is never sent.
      add column due_at timestamptz,
      -- The moment its recipient's domain has reserved for it.
      add column slot_at timestamptz,
      -- How often it was handed over, or may have been.
      add column attempts smallint not null default 0,
      add column holder uuid,
      add column lease_until timestamptz,
      add column sent_at timestamptz,
      add column reason text,
      add constraint outbox_state check (state in
        ('written', 'claimed', 'sending', 'sent', 'unknown', 'failed', 'suppressed', 'cancelled', 'bounced', 'complained'));
    create index outbox_due on outbox (tenant, due_at) where state = 'written' and due_at is not null;
    create index outbox_leases on outbox (lease_until) where state in ('claimed', 'sending');
    create index outbox_by_state on outbox (tenant, state, written_at desc, lead_id desc) where state not in ('written', 'sent');
    create index suppressions_by_address on suppressions (address);

    -- How a tenant sends, and what it has sent today. Whoever claims e-mails of a tenant holds this row.
    create table mail_tenants (
      tenant text primary key,
      -- Refuse what any tenant's recipients asked for, not its own alone.
      suppress_across boolean not null default false,
      time_zone text,
      day_limit integer check (day_limit >= 0),
      -- The first day of sending: the warm-up counts from it.
      warm_from date,
      day date,
      taken integer not null default 0,
      looked_at timestamptz,
      rests_until timestamptz,
      stopped_at timestamptz,
      stopped_reason text,
      -- Counts of an earlier epoch stop nobody: resuming begins a new one.
      epoch smallint not null default 0
    );
    create table mail_days (
      tenant text not null,
      epoch smallint not null,
      day date not null,
      sent integer not null default 0,
      bounced integer not null default 0,
      complained integer not null default 0,
      primary key (tenant, epoch, day)
    );
    -- When a recipients' domain may be written to next.
    create table mail_pace (
      domain text primary key,
      next_at timestamptz not null
    );
    create table mail_events (
      tenant text not null,
      event_id text not null,
      lead_id uuid not null,
      campaign text not null,
      kind text not null,
      at timestamptz not null,
      received_at timestamptz not null default now(),
      primary key (tenant, event_id)
    );
    create index mail_events_by_time on mail_events (received_at);
    create index mail_events_by_mail on mail_events (tenant, lead_id, campaign);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table mail_events, mail_pace, mail_days, mail_tenants;
    drop index suppressions_by_address, outbox_by_state, outbox_leases, outbox_due;
    alter table outbox drop constraint outbox_state, drop column address, drop column domain, drop column time_zone,
      drop column message_id, drop column unsubscribe_url, drop column due_at, drop column slot_at,
      drop column attempts, drop column holder, drop column lease_until, drop column sent_at, drop column reason;
  `);
}

import type { Knex } from "knex";

/**
 * A person's rights: what was erased, how far that has come, and the tombstones that keep the person from coming back.
 * A tombstone is a hash (`lead_marks`), never the contact itself; the edge makes the same ones (services/intake/marks.ts).
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table erasures (
      tenant text not null,
      erasure_id uuid not null,
      -- The leads of the person: the one that was named, and all that were merged with it.
      lead_ids uuid[] not null,
      asked_at timestamptz not null default now(),
      -- When it is looked everywhere next; while one looks, when another may take over.
      next_at timestamptz not null,
      passes smallint not null default 0,
      -- place -> how many things were erased there
      did jsonb not null default '{}',
      -- Web sites whose cached facts must go, until they have.
      websites text[] not null default '{}',
      -- SHA-256 of the e-mail addresses, as in suppressions: lifting takes them off that list again.
      addresses bytea[] not null default '{}',
      finished_at timestamptz,
      lifted_at timestamptz,
      primary key (tenant, erasure_id)
    );
    create index erasures_by_lead on erasures using gin (lead_ids);
    create index erasures_due on erasures (next_at) where finished_at is null;
    create index erasures_by_time on erasures (tenant, asked_at desc, erasure_id desc);

    create table tombstones (
      tenant text not null,
      mark uuid not null,
      erasure_id uuid not null,
      primary key (tenant, mark, erasure_id)
    );
    create index tombstones_by_erasure on tombstones (tenant, erasure_id);

    create function lead_mark(tenant text, kind text, value text) returns uuid language sql immutable parallel safe
      return case when value <> '' then
        cast(encode(substring(sha256(convert_to(tenant || E'\\n' || kind || E'\\n' || value, 'UTF8')) from 1 for 16), 'hex') as uuid) end;
    create function bare_text(value text) returns text language sql immutable parallel safe
      return lower(regexp_replace(value, '[^[:alnum:]]', '', 'g'));
    -- What a lead is known again by: its id (which its source's key gives), its contacts, and its name at a place or site.
    create function lead_marks(tenant text, lead_id uuid, fields jsonb) returns uuid[] language sql immutable parallel safe
      return array_remove(array[
        lead_id,
        lead_mark(tenant, 'email', lower(fields ->> 'email')),
        lead_mark(tenant, 'phone', fields ->> 'phone'),
        lead_mark(tenant, 'place', bare_text(fields ->> 'name') || E'\\n' || bare_text(fields -> 'address' ->> 'street')
          || E'\\n' || coalesce(fields -> 'address' ->> 'zip', bare_text(fields -> 'address' ->> 'city'), '')),
        lead_mark(tenant, 'site', bare_text(fields ->> 'name') || E'\\n' || (fields ->> 'domain'))
      ], null);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop function lead_marks(text, uuid, jsonb), lead_mark(text, text, text), bare_text(text);
    drop table tombstones, erasures;
  `);
}

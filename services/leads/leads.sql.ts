import type { Knex } from "knex";
import { planned } from "../../mixins/knex.ts";
import { endOf, keyOf, type LeadRow, toJsonb } from "./row.ts";
import { isWelcome } from "./tombstones.sql.ts";

/**
 * The statements that write the record. A row's life:
 *
 *   (none) -- arrival --> in_progress -- end --> completed | rejected | merged
 *      \-- end (a stage before dedupe) --> completed | rejected
 *   in_progress | (none) -- dead letter --> dead -- redriven: arrival --> in_progress, end --> completed …
 *   completed | rejected | dead -- a later telling arrives --> in_progress
 *   dead -- its double came meanwhile (services/dedupe) --> merged
 *   merged stays merged; discarded is left by nothing here, erased only once its tombstones are lifted: a later telling's
 *   arrival, end or dead letter then makes it a lead like any other.
 *   (none) -- whoever comes, of a person who was erased --> erased, and nothing of what was told is stored.
 *
 * (revision, step) orders the tellings of a lead. Every statement locks its rows in (lead_id, tenant) order, so that two
 * batches that share leads wait for each other instead of deadlocking; the primary key serves all of them.
 */

const recordset = `tenant text, lead_id uuid, revision bigint, step smallint, state text, reason text, stage text,
  merged_into uuid, source text, source_id text, trust smallint, tier smallint, name text, email text, phone text,
  website text, domain text, city text, region text, zip text, country text, vertical text, fields jsonb,
  warnings jsonb, facts jsonb, score smallint, score_detail jsonb, mockup jsonb, timeline jsonb`;
const namesIn = (given: string) => given.replace(/(\w+) (text|uuid|bigint\[\]|bigint|smallint|jsonb)/g, "$1");
/** What is stored of a lead whose person was erased: that there was one, for the count. The columns not named are null. */
const stub: Record<string, string> = {
  ...Object.fromEntries(["tenant", "lead_id", "revision", "step", "stage", "trust", "tier"].map((c) => [c, c])),
  state: "'erased'",
  reason: "'tombstone'",
  source: "''",
  name: "''",
  fields: "'{}'",
  facts: "'{}'",
  timeline: "'[]'",
};
const insertOf = (given: string) => {
  const columns = namesIn(given);
  const told = columns
    .split(/,\s+/)
    .map((c) => (stub[c] === c ? c : `case when welcome then ${c} else ${stub[c] ?? "null"} end`));
  return `insert into leads (${columns}, accepted_at)
  select ${told.join(", ")}, to_timestamp(revision / 1000.0)
  from (
    select given.*, ${isWelcome("given")} as welcome from jsonb_to_recordset(?::jsonb) as given(${given}) offset 0
  ) given
  order by lead_id, tenant
  on conflict (lead_id, tenant) do update set`;
};
const insert = insertOf(recordset);
const insertWithKeys = insertOf(`${recordset}, keys bigint[]`);
const later = "(excluded.revision, excluded.step) > (leads.revision, leads.step)";

export interface ArrivalRow {
  tenant: string;
  lead_id: string;
  inserted: boolean;
  state: string;
  merged_into: string | null;
  before: { fields: object; provenance: object } | null;
}

/**
 * Arrival: writes rows of leads that have come to the record. Takes a newer telling's fields whole; a merged row takes
 * them and stays merged. A dead row of the same revision is in progress again (it was redriven).
 * Returns the rows written; those not returned were there already, as new or newer, and are locked all the same.
 * `before`: what the row held when it had taken fields from merged leads, for whoever merges them again.
 *
 * Keys of earlier tellings stay; those that a row has now and had not before are added to lead_keys, once all rows are
 * written. Nothing is unique there, so nobody is waited for. In the order of the index: each descent finds the upper pages of
 * the last one still near.
 */
export async function upsertArrivals(trx: Knex, rows: LeadRow[]): Promise<ArrivalRow[]> {
  const { rows: written } = await planned(
    "leads_arrive",
    trx.raw<{ rows: ArrivalRow[] }>(
      `with arrived as (
       ${insertWithKeys}
       revision = excluded.revision, step = excluded.step, stage = excluded.stage,
       state = case leads.state when 'merged' then 'merged' else excluded.state end,
       reason = case leads.state when 'merged' then leads.reason else null end,
       source = excluded.source, source_id = excluded.source_id, trust = excluded.trust, tier = excluded.tier,
       name = excluded.name, email = excluded.email, phone = excluded.phone, website = excluded.website,
       domain = excluded.domain, city = excluded.city, region = excluded.region, zip = excluded.zip,
       country = excluded.country, vertical = excluded.vertical, fields = excluded.fields,
       own = null, warnings = excluded.warnings, facts = excluded.facts, score = excluded.score,
       score_detail = excluded.score_detail, mockup = excluded.mockup, timeline = excluded.timeline,
       keys = leads.keys || array(select k from unnest(excluded.keys) k where k <> all(coalesce(leads.keys, '{}'))),
       accepted_at = least(leads.accepted_at, excluded.accepted_at), updated_at = now()
     where leads.state <> 'discarded' and excluded.state <> 'erased'
       and (${later} or (leads.state = 'dead' and excluded.revision = leads.revision))
     returning new.tenant, new.lead_id, old.lead_id is null as inserted, new.state, new.merged_into,
       case when old.provenance <> '{}' then jsonb_build_object('fields', old.fields, 'provenance', old.provenance) end as before,
       case when old.lead_id is null then new.keys else new.keys[coalesce(cardinality(old.keys), 0) + 1:] end as fresh_keys
     ), keyed as (
       insert into lead_keys (key, lead_id)
       select key, lead_id from arrived cross join lateral unnest(fresh_keys) fresh(key) order by key
     )
     select tenant, lead_id, inserted, state, merged_into, before from arrived`,
      [toJsonb(rows)],
    ),
  );
  return written;
}

/** Of a row that an erasure had emptied, and whose person is told again: as told. Of any other: as it was. */
const toldAgain = (columns: string) =>
  columns.replace(/\w+/g, (c) => `${c} = case leads.state when 'erased' then excluded.${c} else leads.${c} end`);
const identity = `source, source_id, trust, tier, name, email, phone, website, domain, city, region, zip, country, vertical,
  fields`;
const setEnd = `
       revision = excluded.revision, step = excluded.step, stage = excluded.stage,
       state = case leads.state when 'merged' then 'merged' else excluded.state end,
       reason = case leads.state when 'merged' then leads.reason else excluded.reason end,
       merged_into = case leads.state when 'merged' then leads.merged_into else excluded.merged_into end,
       warnings = excluded.warnings, facts = leads.facts || excluded.facts, score = excluded.score,
       score_detail = excluded.score_detail, mockup = excluded.mockup, timeline = excluded.timeline,
       updated_at = now()`;
const endRecordset = `tenant text, lead_id uuid, revision bigint, step smallint, state text, reason text, stage text,
  merged_into uuid, warnings jsonb, facts jsonb, score smallint, score_detail jsonb, mockup jsonb, timeline jsonb`;

/**
 * End: writes terminal states. Touches what the pipeline found out (facts, score, mock-up, timeline), never who the lead
 * is: its copy may be older than a merge that the row has seen. A merged row keeps its state and winner. A repeat has no
 * larger (revision, step) and changes nothing. Returns how many rows were written.
 *
 * Most rows are there since their arrival. For those the half of the columns that does not change is not sent: whole rows
 * took 1.3 times the database's time and 1.5 times the caller's. What stands in their place is never stored, as no row is
 * ever taken away; an update joined with the rows given would be quicker still (0.8 of this), but locks them in whatever
 * order its plan has, and twenty writers of the same leads then wait for each other. Leads that were not written, as they
 * are not there (a stage before dedupe ended them), newer or erased, go the longer way.
 */
export async function upsertEnds(trx: Knex, rows: LeadRow[]): Promise<number> {
  const { rows: written } = await planned(
    "leads_end",
    trx.raw<{ rows: { tenant: string; lead_id: string }[] }>(
      `insert into leads (${namesIn(endRecordset)}, source, trust, tier, name, fields, accepted_at)
     select given.*, '', 0, 1, '', '{}', 'epoch' from jsonb_to_recordset(?::jsonb) as given(${endRecordset})
     where exists (select from leads l where l.lead_id = given.lead_id and l.tenant = given.tenant offset 0)
     order by lead_id, tenant
     on conflict (lead_id, tenant) do update set ${setEnd}
     where leads.state not in ('discarded', 'erased') and ${later}
     returning tenant, lead_id`,
      [toJsonb(rows.map(endOf))],
    ),
  );
  if (written.length === rows.length) return written.length;
  const done = new Set(written.map(keyOf));
  const rest = rows.filter((row) => !done.has(keyOf(row)));
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `${insert} ${setEnd}, ${toldAgain(identity)}
     where leads.state <> 'discarded' and excluded.state <> 'erased' and ${later}`,
    [toJsonb(rest)],
  );
  return written.length + rowCount;
}

/** Of a row that holds this telling, or none: what the telling has found out. Of one that holds another: as it was. */
const foundOut = "warnings, facts, score, score_detail, mockup".replace(
  /\w+/g,
  (c) =>
    `${c} = case when leads.state = 'erased' or excluded.revision = leads.revision then excluded.${c} else leads.${c} end`,
);

/**
 * Dead letters: marks leads dead, or puts those on record that never got there. The end of the same telling wins over
 * its dead letter, in whichever order the two are told: after a redrive the letter may be told late. No step is compared:
 * a lead can die where its row already stands. What it had found out by then is written too, so that the row alone can
 * put it back where it died (services/dedupe/resumer.ts). Returns how many rows were written.
 */
export async function upsertDead(trx: Knex, rows: LeadRow[]): Promise<number> {
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `${insert}
       revision = excluded.revision,
       step = case when excluded.revision > leads.revision then excluded.step else leads.step end,
       state = 'dead', reason = excluded.reason, stage = excluded.stage, timeline = excluded.timeline, updated_at = now(),
       ${toldAgain(identity)}, ${foundOut}
     where (excluded.revision > leads.revision and leads.state not in ('merged', 'discarded') and excluded.state <> 'erased')
        or (excluded.revision = leads.revision and leads.state = 'in_progress')
        or (excluded.revision = leads.revision and leads.state = 'dead'
            and (leads.reason, leads.stage) is distinct from (excluded.reason, excluded.stage))`,
    [toJsonb(rows)],
  );
  return rowCount;
}

/**
 * Present state of leads, by primary key. Rows that are not there are left out. Lateral, as a plain join was planned as
 * a hash join over the whole table: 20 ms for 250 of 60,000 rows instead of 2.
 */
export async function statesOf(
  trx: Knex,
  keys: { tenant: string; leadId: string }[],
): Promise<{ tenant: string; lead_id: string; revision: number; state: string; merged_into: string | null }[]> {
  const { rows } = await trx.raw(
    `select found.* from unnest(?::text[], ?::uuid[]) as wanted(tenant, lead_id)
     cross join lateral (
       select l.tenant, l.lead_id, l.revision::float8 as revision, l.state, l.merged_into from leads l
       where l.lead_id = wanted.lead_id and l.tenant = wanted.tenant offset 0
     ) found`,
    [keys.map((k) => k.tenant), keys.map((k) => k.leadId)],
  );
  return rows;
}

export interface Acceptance {
  tenant: string;
  leadId: string;
  /** ms since 1970 */
  acceptedAt: number;
  importId: string | null;
}

/** Books acceptances. The first one of a lead stays; a repeat writes nothing. Returns how many were new. */
export async function insertAcceptances(trx: Knex, acceptances: Acceptance[]): Promise<number> {
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `insert into acceptances (tenant, lead_id, accepted_at, import_id)
     select tenant, lead_id, to_timestamp(ms / 1000.0), import_id
     from unnest(?::text[], ?::uuid[], ?::float8[], ?::uuid[]) as given(tenant, lead_id, ms, import_id)
     order by lead_id, tenant
     on conflict do nothing`,
    [
      acceptances.map((a) => a.tenant),
      acceptances.map((a) => a.leadId),
      acceptances.map((a) => a.acceptedAt),
      // Knex's types know no null inside an array.
      acceptances.map((a) => a.importId) as string[],
    ],
  );
  return rowCount;
}

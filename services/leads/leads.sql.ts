import type { Knex } from "knex";
import { type LeadRow, toJsonb } from "./row.ts";

/**
 * The statements that write the record. A row's life:
 *
 *   (none) -- arrival --> in_progress -- end --> completed | rejected | merged
 *      \-- end (a stage before dedupe) --> completed | rejected
 *   in_progress | (none) -- dead letter --> dead -- redriven: arrival --> in_progress, end --> completed …
 *   completed | rejected | dead -- a later telling arrives --> in_progress
 *   merged stays merged; discarded and erased are left by nothing here.
 *
 * (revision, step) orders the tellings of a lead. Every statement locks its rows in (lead_id, tenant) order, so that two
 * batches that share leads wait for each other instead of deadlocking; the primary key serves all of them.
 */

const recordset = `tenant text, lead_id uuid, revision bigint, step smallint, state text, reason text, stage text,
  merged_into uuid, source text, source_id text, trust smallint, tier smallint, name text, email text, phone text,
  website text, domain text, city text, region text, zip text, country text, vertical text, fields jsonb,
  warnings jsonb, facts jsonb, score smallint, score_detail jsonb, mockup jsonb, timeline jsonb`;
const columns = recordset.replace(/(\w+) (text|uuid|bigint|smallint|jsonb)/g, "$1");
const insertInto = (
  more = { columns: "", recordset: "" },
) => `insert into leads (${columns}${more.columns}, accepted_at)
  select ${columns}${more.columns}, to_timestamp(revision / 1000.0)
  from jsonb_to_recordset(?::jsonb) as given(${recordset}${more.recordset})
  order by lead_id, tenant
  on conflict (lead_id, tenant) do update set`;
const insert = insertInto();
const insertWithKeys = insertInto({ columns: ", keys", recordset: ", keys bigint[]" });
const later = "(excluded.revision, excluded.step) > (leads.revision, leads.step)";

export interface ArrivalRow {
  tenant: string;
  lead_id: string;
  inserted: boolean;
  state: string;
  merged_into: string | null;
  before: { fields: object; provenance: object } | null;
  /** Keys that the row has now and had not before. */
  fresh_keys: string[] | null;
}

/**
 * Arrival: writes rows of leads that have come to the record. Takes a newer telling's fields whole; a merged row takes
 * them and stays merged. A dead row of the same revision is in progress again (it was redriven).
 * Returns the rows written; those not returned were there already, as new or newer, and are locked all the same.
 * `before`: what the row held when it had taken fields from merged leads, for whoever merges them again.
 * Keys of earlier tellings stay.
 */
export async function upsertArrivals(trx: Knex, rows: LeadRow[]): Promise<ArrivalRow[]> {
  const { rows: written } = await trx.raw<{ rows: ArrivalRow[] }>(
    `${insertWithKeys}
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
     where leads.state not in ('discarded', 'erased')
       and (${later} or (leads.state = 'dead' and excluded.revision = leads.revision))
     returning new.tenant, new.lead_id, old.lead_id is null as inserted, new.state, new.merged_into,
       case when old.provenance <> '{}' then jsonb_build_object('fields', old.fields, 'provenance', old.provenance) end as before,
       case when old.lead_id is null then new.keys else new.keys[coalesce(cardinality(old.keys), 0) + 1:] end as fresh_keys`,
    [toJsonb(rows)],
  );
  return written;
}

/**
 * End: writes terminal states. Touches what the pipeline found out (facts, score, mock-up, timeline), never who the lead
 * is: its copy may be older than a merge that the row has seen. A merged row keeps its state and winner. A repeat has no
 * larger (revision, step) and changes nothing. Returns how many rows were written.
 */
export async function upsertEnds(trx: Knex, rows: LeadRow[]): Promise<number> {
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `${insert}
       revision = excluded.revision, step = excluded.step, stage = excluded.stage,
       state = case leads.state when 'merged' then 'merged' else excluded.state end,
       reason = case leads.state when 'merged' then leads.reason else excluded.reason end,
       merged_into = case leads.state when 'merged' then leads.merged_into else excluded.merged_into end,
       warnings = excluded.warnings, facts = leads.facts || excluded.facts, score = excluded.score,
       score_detail = excluded.score_detail, mockup = excluded.mockup, timeline = excluded.timeline,
       updated_at = now()
     where leads.state not in ('discarded', 'erased') and ${later}`,
    [toJsonb(rows)],
  );
  return rowCount;
}

/**
 * Dead letters: marks leads dead, or puts those on record that never got there. The end of the same telling wins over
 * its dead letter, in whichever order the two are told: after a redrive the letter may be told late. No step is compared:
 * a lead can die where its row already stands. Returns how many rows were written.
 */
export async function upsertDead(trx: Knex, rows: LeadRow[]): Promise<number> {
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `${insert}
       revision = excluded.revision,
       step = case when excluded.revision > leads.revision then excluded.step else leads.step end,
       state = 'dead', reason = excluded.reason, stage = excluded.stage, timeline = excluded.timeline, updated_at = now()
     where (excluded.revision > leads.revision and leads.state not in ('merged', 'discarded', 'erased'))
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
): Promise<{ tenant: string; lead_id: string; state: string; merged_into: string | null }[]> {
  const { rows } = await trx.raw(
    `select found.* from unnest(?::text[], ?::uuid[]) as wanted(tenant, lead_id)
     cross join lateral (
       select l.tenant, l.lead_id, l.state, l.merged_into from leads l
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

import type { Knex } from "knex";
import { toJsonb } from "./row.ts";

/**
 * The index of the dead letters. A row's life:
 *
 *   (none) -- filed --> dead -- claimed by a job --> claimed -- settled --> redriven | discarded | gone
 *                        ^------ left as it is ---------|
 *
 * Who changes a row's state changes `dead_letter_counts` in the same statement; rows are locked in (seq, tenant) order
 * before counts, and counts in the order of their key, so that two never wait for each other.
 */

/** A dead letter as the recorder files it. */
export interface FiledLetter {
  /** "" for a message that is nobody's. */
  tenant: string;
  seq: number;
  /** ms since 1970, by the stream */
  diedAt: number;
  kind: "lead" | "work" | "foreign";
  stage: string;
  lane: string | null;
  errorType: string;
  leadId: string | null;
  attempts: number;
}

export interface LetterCount {
  tenant: string;
  stage: string;
  errorType: string;
  count: number;
}

const recordset = `tenant text, seq bigint, "diedAt" float8, kind text, stage text, lane text, "errorType" text,
  "leadId" uuid, attempts integer`;

/**
 * Files letters; one that is filed already stays as it is, whatever became of it. Answers how many are new, by what they
 * are counted by. Writes dead_letters and, in the order of its key, dead_letter_counts.
 */
export async function fileLetters(knex: Knex, letters: readonly FiledLetter[]): Promise<LetterCount[]> {
  const { rows } = await knex.raw<{ rows: LetterCount[] }>(
    `with filed as (
       insert into dead_letters (tenant, seq, died_at, kind, stage, lane, error_type, lead_id, attempts)
       select tenant, seq, to_timestamp("diedAt" / 1000), kind, stage, lane, "errorType", "leadId", attempts
       from jsonb_to_recordset(?::jsonb) as told(${recordset})
       order by seq, tenant
       on conflict do nothing
       returning tenant, stage, error_type
     ), added as (
       select tenant, stage, error_type, count(*) as open from filed group by 1, 2, 3 order by 1, 2, 3
     ), counted as (
       insert into dead_letter_counts (tenant, stage, error_type, open) select * from added
       on conflict (tenant, stage, error_type) do update set open = dead_letter_counts.open + excluded.open
     )
     select tenant, stage, error_type as "errorType", open::float8 as count from added`,
    [toJsonb(letters)],
  );
  return rows;
}

/** Has no letter ever been filed? Reads one row at the most. */
export async function isIndexEmpty(knex: Knex): Promise<boolean> {
  const { rows } = await knex.raw<{ rows: { empty: boolean }[] }>(
    "select not exists (select from dead_letters) as empty",
  );
  return rows[0]!.empty;
}

/** Of these letters the sequences of those that a job has dealt with, by the primary key: their leads are not dead by them any more. */
export async function dealtWith(knex: Knex, letters: readonly FiledLetter[]): Promise<Set<number>> {
  const { rows } = await knex.raw<{ rows: { seq: string }[] }>(
    `select d.seq from jsonb_to_recordset(?::jsonb) as told(${recordset})
     join dead_letters d on d.seq = told.seq and d.tenant = told.tenant and d.died_at = to_timestamp("diedAt" / 1000)
     where d.state <> 'dead'`,
    [toJsonb(letters)],
  );
  return new Set(rows.map(({ seq }) => Number(seq)));
}

/** A lead as a dead letter holds it. */
export interface DeadLead {
  tenant: string;
  leadId: string;
  revision: number;
}

/** The reason of a lead whose letter was put back, until the record hears of it again: no other letter of it may end it. */
const redriven = "redriven";

/**
 * Notes on leads that they are put back: they stay `dead` until they arrive, end or die again, with this as the reason.
 * Locks them in (lead_id, tenant) order, by the primary key. A repeat changes nothing.
 */
export async function noteRedriven(knex: Knex, leads: readonly DeadLead[]): Promise<void> {
  await knex.raw(
    `with told as (${toldLeads}) update leads l set reason = '${redriven}', updated_at = now() from told
     where l.lead_id = told.lead_id and l.tenant = told.tenant and l.revision = told.revision and l.state = 'dead'`,
    columnsOf(leads),
  );
}

/**
 * Ends leads as discarded that are dead by this telling, and not on their way again. Locks and index as with
 * {@link noteRedriven}; a repeat changes nothing.
 */
export async function discardLeads(knex: Knex, leads: readonly DeadLead[], reason: string): Promise<void> {
  await knex.raw(
    `with told as (${toldLeads}) update leads l set state = 'discarded', reason = ?, updated_at = now() from told
     where l.lead_id = told.lead_id and l.tenant = told.tenant and l.revision = told.revision and l.state = 'dead'
       and l.reason is distinct from '${redriven}'`,
    [...columnsOf(leads), reason],
  );
}

const toldLeads = `select l.lead_id, l.tenant, t.revision
  from unnest(?::uuid[], ?::text[], ?::bigint[]) as t(lead_id, tenant, revision)
  join leads l on l.lead_id = t.lead_id and l.tenant = t.tenant
  order by l.lead_id, l.tenant for update of l`;

function columnsOf(leads: readonly DeadLead[]): (string[] | number[])[] {
  return [leads.map((l) => l.leadId), leads.map((l) => l.tenant), leads.map((l) => l.revision)];
}

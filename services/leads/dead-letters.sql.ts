import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import { redriven } from "./lead.ts";
import { toJsonb } from "./row.ts";

/**
 * The index of the dead letters. A row's life:
 *
 *   (none) -- filed --> dead -- claimed by a job --> claimed -- settled --> redriven | discarded | gone | merged
 *      \                 ^------ left as it is ---------|
 *       \-- or then -- its lead became another's double --> merged
 *
 * One that is `merged` without a job is closed once its message is out of the stream.
 * Who changes a row's state changes `dead_letter_counts` in the same statement; rows are locked in (seq, tenant) order
 * before counts, and counts in the order of their key, so that two never wait for each other. Leads come before all three.
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
  /** Nothing compares its lead with others when it is put back. */
  isPastDedupe: boolean;
}

export interface LetterCount {
  tenant: string;
  stage: string;
  errorType: string;
  count: number;
}

const recordset = `tenant text, seq bigint, "diedAt" float8, kind text, stage text, lane text, "errorType" text,
  "leadId" uuid, attempts integer, "isPastDedupe" boolean`;

/**
 * Files letters; one that is filed already stays as it is, whatever became of it. One whose lead has become another's
 * double is filed as `merged`: to put it back would do its work a second time. Their leads are locked against that
 * happening meanwhile, by the primary key. Answers how many are new and open, by what they are counted by. Writes
 * dead_letters and, in the order of its key, dead_letter_counts.
 */
export async function fileLetters(knex: Knex, letters: readonly FiledLetter[]): Promise<LetterCount[]> {
  const { rows } = await knex.raw<{ rows: LetterCount[] }>(
    `with told as materialized (
       select * from jsonb_to_recordset(?::jsonb) as told(${recordset})
     ), held as (
       select l.lead_id, l.tenant, l.state
       from (select distinct "leadId", tenant from told where "isPastDedupe") t
       join leads l on l.lead_id = t."leadId" and l.tenant = t.tenant
       order by l.lead_id, l.tenant for share of l
     ), filed as (
       insert into dead_letters (tenant, seq, died_at, kind, stage, lane, error_type, lead_id, attempts, state)
       select t.tenant, seq, to_timestamp("diedAt" / 1000), kind, stage, lane, "errorType", "leadId", attempts,
         case when "isPastDedupe" and h.state = 'merged' then 'merged' else 'dead' end
       from told t left join held h on h.lead_id = t."leadId" and h.tenant = t.tenant
       order by seq, t.tenant
       on conflict do nothing
       returning tenant, stage, error_type, state
     ), added as (
       select tenant, stage, error_type, count(*) as open from filed where state = 'dead' group by 1, 2, 3 order by 1, 2, 3
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

/**
 * Notes on leads that they are put back: they stay `dead` until they arrive, end or die again, with this as the reason,
 * and no other letter may end them. Locks them in (lead_id, tenant) order, by the primary key. A repeat changes nothing.
 * Answers those that are another's double, under that lock: who lost before it is not to be put back, who is noted loses
 * no more to a lead that only arrives.
 */
export function noteRedriven(knex: Knex, leads: readonly DeadLead[]): Promise<{ tenant: string; leadId: string }[]> {
  return transaction(knex, async (trx) => {
    const told = await lockTold(trx, leads);
    await trx.raw(
      `update leads l set reason = '${redriven}', updated_at = now() from ${asTold} and l.state = 'dead'`,
      columnsOf(leads),
    );
    return told.flatMap(({ tenant, leadId, state }) => (state === "merged" ? [{ tenant, leadId }] : []));
  });
}

/**
 * Closes the letters of dead leads that have just become another's double, of the caller's transaction, which holds those
 * leads: the letters of the stage that the lead died in, as long as no job has them (a job finds the lead merged). What an
 * older telling left behind is closed when it is put back. By dead_letters_of_lead. A repeat finds none open.
 */
export async function closeMerged(trx: Knex, leads: readonly { tenant: string; leadId: string }[]): Promise<void> {
  await trx.raw(
    `with locked as (
       select d.seq, d.tenant, d.died_at
       from unnest(?::uuid[], ?::text[]) as u(lead_id, tenant)
       join leads l on l.lead_id = u.lead_id and l.tenant = u.tenant
       join dead_letters d on d.lead_id = l.lead_id and d.tenant = l.tenant and d.stage = l.stage
       where d.state = 'dead' and d.kind = 'lead' order by d.seq, d.tenant for update of d
     ), changed as (
       update dead_letters d set state = 'merged' from locked l
       where d.seq = l.seq and d.tenant = l.tenant and d.died_at = l.died_at
       returning d.tenant, d.stage, d.error_type
     )
     insert into dead_letter_counts (tenant, stage, error_type, open)
     select tenant, stage, error_type, -count(*) from changed group by 1, 2, 3 order by 1, 2, 3
     on conflict (tenant, stage, error_type) do update set open = dead_letter_counts.open + excluded.open`,
    [leads.map(({ leadId }) => leadId), leads.map(({ tenant }) => tenant)],
  );
}

/** Where letters stand that are `merged` and still in the stream, a few of them, by dead_letters_merged. Locks nothing. */
export async function mergedLetters(
  knex: Knex,
  most: number,
): Promise<{ tenant: string; seq: number; diedAt: number }[]> {
  const { rows } = await knex.raw(
    `select tenant, seq::float8 as seq, round(extract(epoch from died_at) * 1000)::float8 as "diedAt" from dead_letters
     where state = 'merged' and closed_at is null order by dead_letters.seq limit ?`,
    [most],
  );
  return rows;
}

/** They are out of the stream. By the primary key; a repeat changes nothing. */
export async function endMerged(knex: Knex, letters: readonly { tenant: string; seq: number }[]): Promise<void> {
  await knex.raw(
    `update dead_letters d set closed_at = now() from unnest(?::bigint[], ?::text[]) as u(seq, tenant)
     where d.seq = u.seq and d.tenant = u.tenant and d.state = 'merged' and d.closed_at is null`,
    [letters.map(({ seq }) => seq), letters.map(({ tenant }) => tenant)],
  );
}

/**
 * Ends leads as discarded that are dead by this telling, and not on their way again. Locks and index as with
 * {@link noteRedriven}; a repeat changes nothing.
 */
export function discardLeads(knex: Knex, leads: readonly DeadLead[], reason: string): Promise<void> {
  return transaction(knex, async (trx) => {
    await lockTold(trx, leads);
    await trx.raw(
      `update leads l set state = 'discarded', reason = ?, updated_at = now() from ${asTold} and l.state = 'dead'
         and l.reason is distinct from '${redriven}'`,
      [reason, ...columnsOf(leads)],
    );
  });
}

async function lockTold(
  trx: Knex.Transaction,
  leads: readonly DeadLead[],
): Promise<{ tenant: string; leadId: string; state: string }[]> {
  const { rows } = await trx.raw(
    `select l.lead_id as "leadId", l.tenant, l.state from unnest(?::uuid[], ?::text[]) as t(lead_id, tenant)
     join leads l on l.lead_id = t.lead_id and l.tenant = t.tenant
     order by l.lead_id, l.tenant for update of l`,
    columnsOf(leads).slice(0, 2),
  );
  return rows;
}

const asTold = `unnest(?::uuid[], ?::text[], ?::bigint[]) as told(lead_id, tenant, revision)
  where l.lead_id = told.lead_id and l.tenant = told.tenant and l.revision = told.revision`;

function columnsOf(leads: readonly DeadLead[]): (string[] | number[])[] {
  return [leads.map((l) => l.leadId), leads.map((l) => l.tenant), leads.map((l) => l.revision)];
}

/**
 * Takes away at most `limit` letters that were closed longer than so many days ago; answers how many. Found by
 * dead_letters_closed; rows that another has in hand are passed over. Their messages left the stream when they were closed.
 */
export async function sweepLetters(knex: Knex, days: number, limit: number): Promise<number> {
  const { rowCount } = await knex.raw<{ rowCount: number }>(
    `delete from dead_letters d using (
       select seq, tenant, died_at from dead_letters where closed_at < now() - make_interval(days => ?)
       order by closed_at limit ? for update skip locked
     ) old
     where d.seq = old.seq and d.tenant = old.tenant and d.died_at = old.died_at`,
    [days, limit],
  );
  return rowCount;
}

import type { Knex } from "knex";
import { planned } from "../../mixins/knex.ts";
import { toJsonb } from "./row.ts";

/**
 * `row` (tenant, lead_id, fields) may come on record: nobody was erased, or it is there and lives, or none of its marks
 * is a tombstone's. A part of the statements that write leads anyway. The first part is asked once a statement: while
 * there are no tombstones the rest is never looked at. With some, each row costs a look-up by primary key; one that is
 * not there costs four hashes and as many look-ups more.
 */
export const isWelcome = (row: string) => `(not exists (select from tombstones)
    or exists (select from leads l where l.lead_id = ${row}.lead_id and l.tenant = ${row}.tenant and l.state <> 'erased' offset 0)
    or not exists (select from tombstones t where t.tenant = ${row}.tenant
      and t.mark = any(lead_marks(${row}.tenant, ${row}.lead_id, ${row}.fields)) offset 0))`;

/**
 * Of these leads the ids of those that may not come on record. Locks nothing; while there are no tombstones it looks into
 * an empty table, with some as {@link isWelcome} says.
 */
export async function unwelcome(
  knex: Knex,
  leads: readonly { tenant: string; leadId: string; fields: object }[],
): Promise<Set<string>> {
  const { rows } = await planned(
    "leads_unwelcome",
    knex.raw<{ rows: { lead_id: string }[] }>(
      `select lead_id from (
       select * from jsonb_to_recordset(?::jsonb) as told(tenant text, lead_id uuid, fields jsonb) offset 0
     ) told
     where not ${isWelcome("told")}`,
      [toJsonb(leads.map(({ tenant, leadId, fields }) => ({ tenant, lead_id: leadId, fields })))],
    ),
  );
  return new Set(rows.map(({ lead_id }) => lead_id));
}

/** A lead as somebody tells it, in the record or on its way. */
export interface Telling {
  leadId: string;
  fields: object;
  source?: string;
  sourceId?: string;
}

/**
 * Puts up the tombstones of an erasure: the marks of all that is told of the person. Locks the erasure's row, so that
 * it cannot be lifted meanwhile. A repeat adds nothing.
 */
export async function raise(
  knex: Knex,
  { tenant, erasureId }: { tenant: string; erasureId: string },
  tellings: readonly Telling[],
): Promise<void> {
  if (tellings.length === 0) return;
  await knex.raw(
    `insert into tombstones (tenant, mark, erasure_id)
     select distinct e.tenant, mark, e.erasure_id
     from (select tenant, erasure_id from erasures where tenant = ? and erasure_id = ?::uuid and lifted_at is null for share) e
     cross join jsonb_to_recordset(?::jsonb) as told("leadId" uuid, fields jsonb)
     cross join unnest(lead_marks(e.tenant, told."leadId", told.fields)) mark
     order by mark
     on conflict do nothing`,
    [tenant, erasureId, JSON.stringify(tellings)],
  );
}

/** The marks of an erasure, by tombstones_by_erasure. */
export async function marksOf(knex: Knex, tenant: string, erasureId: string): Promise<string[]> {
  const { rows } = await knex.raw<{ rows: { mark: string }[] }>(
    "select mark from tombstones where tenant = ? and erasure_id = ?::uuid order by mark",
    [tenant, erasureId],
  );
  return rows.map(({ mark }) => mark);
}

/**
 * Takes an erasure's tombstones down, and its addresses off the tenant's list of suppressions where the erasure put
 * them there and nobody has asked for that since. Returns the marks that no other erasure holds; null where there is no such
 * erasure that still stands. An erasure that is not finished is not lifted: `"unfinished"`. One statement after another, in
 * the caller's transaction.
 */
export async function lift(
  trx: Knex.Transaction,
  tenant: string,
  erasureId: string,
): Promise<string[] | "unfinished" | null> {
  const key = [tenant, erasureId];
  const { rows } = await trx.raw(
    `select finished_at is not null as finished from erasures
     where tenant = ? and erasure_id = ?::uuid and lifted_at is null for update`,
    key,
  );
  if (rows.length === 0) return null;
  if (!rows[0].finished) return "unfinished";
  const { rows: down } = await trx.raw<{ rows: { mark: string }[] }>(
    "delete from tombstones where tenant = ? and erasure_id = ?::uuid returning mark",
    key,
  );
  const marks = down.map(({ mark }) => mark);
  const { rows: held } = await trx.raw<{ rows: { mark: string }[] }>(
    "select distinct mark from tombstones where tenant = ? and mark = any(?::uuid[])",
    [tenant, marks],
  );
  await trx.raw(
    `delete from suppressions s using erasures e
     where e.tenant = ? and e.erasure_id = ?::uuid and s.tenant = e.tenant and s.address = any(e.addresses)
       and s.reason = 'erased'
       and not exists (select from erasures other where other.tenant = e.tenant and other.erasure_id <> e.erasure_id
         and other.lifted_at is null and s.address = any(other.addresses))`,
    key,
  );
  await trx.raw("update erasures set lifted_at = now() where tenant = ? and erasure_id = ?::uuid", key);
  const still = new Set(held.map(({ mark }) => mark));
  return marks.filter((mark) => !still.has(mark));
}

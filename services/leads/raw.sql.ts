import type { Knex } from "knex";
import { statement, transaction } from "../../mixins/knex.ts";
import { toJsonb } from "./row.ts";

/** What a provider told of a listing, as it came. */
export interface RawAnswer {
  tenant: string;
  source: string;
  /** The listing's own id, or its lead's where it has none. */
  sourceId: string;
  leadId: string;
  /** What its person is known again by, where it was erased. */
  marks: string[];
  answer: unknown;
}

/**
 * Keeps what was told of listings, over what was told of them before; nothing of a lead that was erased, which its own
 * primary key says, or of a person who was. Locks its rows in the order of theirs; a repeat writes the same and counts its
 * days anew. Of several tellings of one listing the last counts.
 */
export async function keepRaw(knex: Knex, answers: readonly RawAnswer[]): Promise<void> {
  if (answers.length === 0) return;
  const last = new Map(answers.map((one) => [JSON.stringify([one.tenant, one.source, one.sourceId]), one]));
  const rows = [...last.values()].map(({ tenant, source, sourceId, leadId, marks, answer }) => ({
    tenant,
    source,
    source_id: sourceId,
    lead_id: leadId,
    marks,
    answer,
  }));
  await statement(() =>
    knex.raw(
      `insert into listing_raw (tenant, source, source_id, answer)
       select tenant, source, source_id, answer
       from jsonb_to_recordset(?::jsonb) as t(tenant text, source text, source_id text, lead_id uuid, marks uuid[], answer jsonb)
       where not exists (
         select from leads l where l.lead_id = t.lead_id and l.tenant = t.tenant and l.state = 'erased' offset 0
       ) and not exists (select from tombstones s where s.tenant = t.tenant and s.mark = any(t.marks) offset 0)
       order by source_id, tenant, source
       on conflict (source_id, tenant, source) do update set answer = excluded.answer, received_at = now()`,
      [toJsonb(rows)],
    ),
  );
}

/**
 * Takes away at most `limit` answers that are older than so many days; answers how many. Found by listing_raw_by_time;
 * rows that another sweeper has in hand are passed over.
 */
export async function sweepRaw(knex: Knex, days: number, limit: number): Promise<number> {
  return transaction(knex, async (trx) => {
    const { rows: old } = await trx.raw(
      `select source_id, tenant, source from listing_raw where received_at < now() - make_interval(days => ?)
       order by received_at limit ? for update skip locked`,
      [days, limit],
    );
    const { rowCount } = await trx.raw<{ rowCount: number }>(
      `delete from listing_raw r using unnest(?::text[], ?::text[], ?::text[]) as old(source_id, tenant, source)
       where r.source_id = old.source_id and r.tenant = old.tenant and r.source = old.source`,
      (["source_id", "tenant", "source"] as const).map((column) => old.map((row: any) => row[column])),
    );
    return rowCount;
  });
}

/** Hashes of `[{ source, sourceId }]`, by which an erasure knows late answers of listing providers. */
export const listingMarks = `array(select sha256(convert_to(source || ' ' || "sourceId", 'UTF8'))
  from jsonb_to_recordset(?::jsonb) as told(source text, "sourceId" text))`;

/** A listing, as a lead that was read from it names it. */
export interface Listing {
  source?: string | undefined;
  sourceId: string;
}

/**
 * Erases what was told of these listings, in the caller's transaction; answers how many. By primary key. Its rows are locked
 * in the order of theirs, as {@link keepRaw} does, and deleted by a statement of their own: a delete locks each as its plan
 * comes to it, which deadlocks with that, and is not safe (mixins/knex.ts, `statement`). A repeat finds nothing.
 */
export async function eraseRaw(trx: Knex, tenant: string, listings: readonly Listing[]): Promise<number> {
  const { rows: held } = await trx.raw<{ rows: { source_id: string; source: string }[] }>(
    `select source_id, source from listing_raw where source_id = any(?::text[]) and tenant = ?
     order by source_id, tenant, source for update`,
    [listings.map(({ sourceId }) => sourceId), tenant],
  );
  // Another source's listing may have the same id.
  const meant = new Set(listings.map(({ source, sourceId }) => JSON.stringify([source, sourceId])));
  const rows = held.filter((row) => meant.has(JSON.stringify([row.source, row.source_id])));
  if (rows.length === 0) return 0;
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `delete from listing_raw r using unnest(?::text[], ?::text[]) as told(source_id, source)
     where r.source_id = told.source_id and r.tenant = ? and r.source = told.source`,
    [rows.map((row) => row.source_id), rows.map((row) => row.source), tenant],
  );
  return rowCount;
}

/** Erases what listing providers told of these leads, before their rows are emptied, which say under which key. */
export async function eraseListings(
  trx: Knex,
  { tenant, leadIds }: { tenant: string; leadIds: readonly string[] },
): Promise<number> {
  const { rows } = await trx.raw<{ rows: Listing[] }>(
    `select source, coalesce(source_id, lead_id::text) as "sourceId" from leads where tenant = ? and lead_id = any(?::uuid[])`,
    [tenant, [...leadIds]],
  );
  return eraseRaw(trx, tenant, rows);
}

/**
 * The same, of what was on its way when the rows were emptied and is written since: they say under which key no more, so
 * that it is known by the hashes that the erasure keeps. By listing_raw_by_time; whoever wrote it began in these minutes.
 */
export async function eraseLateListings(
  knex: Knex,
  { tenant, erasureId }: { tenant: string; erasureId: string },
): Promise<number> {
  const { rowCount } = await knex.raw<{ rowCount: number }>(
    `delete from listing_raw r using erasures e
     where e.tenant = ? and e.erasure_id = ?::uuid and r.tenant = e.tenant
       and r.received_at > e.asked_at - interval '10 minutes'
       and sha256(convert_to(r.source || ' ' || r.source_id, 'UTF8')) = any(e.listings)`,
    [tenant, erasureId],
  );
  return rowCount;
}

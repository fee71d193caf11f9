import type { Knex } from "knex";
import { statement } from "../../mixins/knex.ts";
import type { WorkItem } from "./work.ts";

/**
 * The work list. An item is `open` until its last page is done; while somebody works on it, it is leased to a holder.
 *
 *   (none) --openWork--> open --claim--> leased --advance--> leased … --advance(done)--> done --openWork, later--> open
 *                                          |--its holder dies, the lease runs out--> open, at its last page
 */

/**
 * Opens items that are new, or done since longer than `againAfterMs`; returns those that are open now, to be published:
 * a repeat returns open items again, so that a crash between this and the publish loses none. Locks the rows it opens.
 */
export async function openWork(
  knex: Knex,
  items: readonly WorkItem[],
  againAfterMs: number,
): Promise<{ workId: string; round: number; opened: boolean }[]> {
  const rows = items.map((item) => ({
    tenant: item.tenant,
    work_id: item.leadId,
    provider: item.provider,
    listing: item.listing,
    zip: item.zip,
    vertical: item.vertical,
    round: item.revision,
  }));
  const { rows: found } = await statement(() =>
    knex.raw(
      `with told as (
         select * from jsonb_to_recordset(?::jsonb)
           as t(tenant text, work_id uuid, provider text, listing text, zip text, vertical text, round bigint)
       ), opened as (
         insert into source_work (tenant, work_id, provider, listing, zip, vertical, round, state)
         select tenant, work_id, provider, listing, zip, vertical, round, 'open' from told order by work_id
         on conflict (tenant, work_id) do update
           set round = excluded.round, state = 'open', cursor = null, listings = 0, accepted = 0, refused = 0,
               holder = null, lease_until = null, finished_at = null
           where source_work.state = 'done'
             and source_work.finished_at <= now() - make_interval(secs => ?::float8 / 1000)
         returning tenant, work_id, round
       )
       select work_id, round, true as opened from opened
       union all
       select w.work_id, w.round, false from source_work w join told using (tenant, work_id)
       where w.state = 'open' and not exists (select 1 from opened o where o.work_id = w.work_id)`,
      [JSON.stringify(rows), againAfterMs],
    ),
  );
  return found.map((row: any) => ({ workId: row.work_id, round: Number(row.round), opened: row.opened }));
}

export type Claim =
  | { kind: "claimed"; cursor: string | null }
  /** Somebody else works on it, until then at the least (ms since 1970). */
  | { kind: "leased"; until: number }
  /** Done, opened again under a later round, or taken off the list. */
  | { kind: "over" };

/** Leases an item to `holder` if nobody holds it. A repeat by the same holder claims it again. */
export async function claim(knex: Knex, item: WorkItem, holder: string, leaseMs: number): Promise<Claim> {
  const key = [item.tenant, item.leadId, item.revision];
  const { rows } = await statement(() =>
    knex.raw(
      `update source_work set holder = ?, lease_until = now() + make_interval(secs => ?::float8 / 1000)
       where tenant = ? and work_id = ? and round = ? and state = 'open'
         and (holder is null or holder = ? or lease_until < now())
       returning cursor`,
      [holder, leaseMs, ...key, holder],
    ),
  );
  if (rows[0]) return { kind: "claimed", cursor: rows[0].cursor };
  const { rows: held } = await statement(() =>
    knex.raw(
      `select extract(epoch from lease_until) * 1000 as until from source_work
       where tenant = ? and work_id = ? and round = ? and state = 'open'`,
      key,
    ),
  );
  return held[0] ? { kind: "leased", until: Math.ceil(Number(held[0].until)) } : { kind: "over" };
}

/**
 * Notes that a page is done, after its leads are accepted: where the next begins, and what it held. Without a next page
 * the item is done. False when the lease was lost: nothing is written, whoever has it now does the page (again).
 */
export async function advance(
  knex: Knex,
  item: WorkItem,
  holder: string,
  page: { cursor: string | null; listings: number; accepted: number; refused: number },
  leaseMs: number,
): Promise<boolean> {
  const { rowCount } = await statement(() =>
    knex.raw(
      `update source_work
       set cursor = ?, listings = listings + ?, accepted = accepted + ?, refused = refused + ?,
           state = case when ?::text is null then 'done' else 'open' end,
           finished_at = case when ?::text is null then now() end,
           holder = case when ?::text is null then null else holder end,
           lease_until = now() + make_interval(secs => ?::float8 / 1000)
       where tenant = ? and work_id = ? and round = ? and state = 'open' and holder = ?`,
      [
        page.cursor,
        page.listings,
        page.accepted,
        page.refused,
        page.cursor,
        page.cursor,
        page.cursor,
        leaseMs,
        item.tenant,
        item.leadId,
        item.revision,
        holder,
      ],
    ),
  );
  return rowCount === 1;
}

/** Gives a lease back: the next who asks goes on at once. */
export async function release(knex: Knex, item: WorkItem, holder: string): Promise<void> {
  await statement(() =>
    knex.raw("update source_work set holder = null where tenant = ? and work_id = ? and holder = ?", [
      item.tenant,
      item.leadId,
      holder,
    ]),
  );
}

export interface WorkState {
  open: number;
  done: number;
  listings: number;
  accepted: number;
  refused: number;
}

/** How far a tenant's work list is. */
export async function workState(knex: Knex, tenant: string): Promise<WorkState> {
  const { rows } = await statement(() =>
    knex.raw(
      `select count(*) filter (where state = 'open')::int as open, count(*) filter (where state = 'done')::int as done,
         coalesce(sum(listings), 0)::float8 as listings, coalesce(sum(accepted), 0)::float8 as accepted,
         coalesce(sum(refused), 0)::float8 as refused
       from source_work where tenant = ?`,
      [tenant],
    ),
  );
  return rows[0];
}

import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import type { TimeKey } from "../../mixins/time-cursor.ts";
import { eraseRaw, listingMarks } from "./raw.sql.ts";
import { raise, type Telling } from "./tombstones.sql.ts";

/** place -> how many things were erased there */
export type Counts = Record<string, number>;

/** An erasure and how far it has come: `begin` (erase.sql.ts) makes it, one pass after another finishes it. */
export interface Erasure {
  tenant: string;
  erasureId: string;
  leadIds: string[];
  /** ms since 1970 */
  askedAt: number;
  /** How often it was looked everywhere. */
  passes: number;
  did: Counts;
  /** Web sites whose cached facts must go; empty once they have. */
  websites: string[];
  finishedAt: number | null;
}

export const erasureColumns = `tenant, erasure_id as "erasureId", lead_ids as "leadIds", passes, did, websites,
  floor(extract(epoch from asked_at) * 1000)::float8 as "askedAt",
  floor(extract(epoch from finished_at) * 1000)::float8 as "finishedAt"`;

/** Takes erasures that are due into hand for `leaseMs`: whoever dies with one leaves it to the next. By erasures_due. */
export async function takeDue(knex: Knex, limit: number, leaseMs: number): Promise<Erasure[]> {
  const { rows } = await knex.raw<{ rows: Erasure[] }>(
    `update erasures set next_at = now() + make_interval(secs => ?::float8 / 1000)
     where (tenant, erasure_id) in (
       select tenant, erasure_id from erasures where finished_at is null and next_at <= now()
       order by next_at limit ? for update skip locked
     )
     returning ${erasureColumns}`,
    [leaseMs, limit],
  );
  return rows;
}

/** Takes one erasure into hand as {@link takeDue} does; null where it is not due, so in another's hands. By primary key. */
export async function takeUp(
  knex: Knex,
  { tenant, erasureId }: Pick<Erasure, "tenant" | "erasureId">,
  leaseMs: number,
): Promise<Erasure | null> {
  const { rows } = await knex.raw<{ rows: Erasure[] }>(
    `update erasures set next_at = now() + make_interval(secs => ?::float8 / 1000)
     where tenant = ? and erasure_id = ?::uuid and finished_at is null and next_at <= now()
     returning ${erasureColumns}`,
    [leaseMs, tenant, erasureId],
  );
  return rows[0] ?? null;
}

/** The erasure was lifted while somebody still looked for what is left: what is told of the person since is not to go. */
export class Lifted extends Error {
  constructor(erasureId: string) {
    super(`the erasure ${erasureId} was lifted`);
    this.name = "Lifted";
  }
}

/** Keeps an erasure from being lifted until the end of the transaction. Throws {@link Lifted} where it was. By primary key. */
export async function hold(knex: Knex, { tenant, erasureId }: Pick<Erasure, "tenant" | "erasureId">): Promise<void> {
  const { rows } = await knex.raw(
    "select from erasures where tenant = ? and erasure_id = ?::uuid and lifted_at is null for no key update",
    [tenant, erasureId],
  );
  if (rows.length === 0) throw new Lifted(erasureId);
}

/**
 * Notes what copies on their way tell of the person, before they go: tombstones, and where else to look. Throws
 * {@link Lifted}, on which they stay.
 */
export async function notice(
  knex: Knex,
  erasure: Pick<Erasure, "tenant" | "erasureId">,
  tellings: readonly Telling[],
): Promise<void> {
  const fields = tellings.map((telling) => telling.fields as { email?: unknown; website?: unknown });
  const texts = (name: "email" | "website") => fields.flatMap((f) => (typeof f[name] === "string" ? [f[name]] : []));
  const listings = tellings.map(({ leadId, source, sourceId }) => ({ source, sourceId: sourceId ?? leadId }));
  await transaction(knex, async (trx) => {
    await hold(trx, erasure);
    await trx.raw(
      `update erasures set
         websites = array(select distinct w from unnest(websites || ?::text[]) w),
         listings = array(select distinct l from unnest(listings || ${listingMarks}) l),
         addresses = array(select distinct a from (
           select unnest(addresses) a union select sha256(convert_to(lower(email), 'UTF8')) from unnest(?::text[]) email) known)
       where tenant = ? and erasure_id = ?::uuid`,
      [texts("website"), JSON.stringify(listings), texts("email"), erasure.tenant, erasure.erasureId],
    );
    await raise(trx, erasure, tellings);
    await eraseRaw(trx, erasure.tenant, listings);
  });
}

/** Web sites whose facts are to go, by primary key: copies may have told of more since the erasure was read. */
export async function websitesOf(knex: Knex, { tenant, erasureId }: Pick<Erasure, "tenant" | "erasureId">) {
  const { rows } = await knex.raw<{ rows: { websites: string[] }[] }>(
    "select websites from erasures where tenant = ? and erasure_id = ?::uuid",
    [tenant, erasureId],
  );
  return rows[0]?.websites ?? [];
}

/** Notes what a pass did, and when the next one is, or that it was the last. Returns how the erasure stands. */
export async function notePass(
  knex: Knex,
  { tenant, erasureId }: Pick<Erasure, "tenant" | "erasureId">,
  pass: { did: Counts; isLast: boolean; nextInMs: number },
): Promise<Erasure> {
  const { rows } = await knex.raw<{ rows: Erasure[] }>(
    `update erasures set
       passes = passes + 1,
       did = (select coalesce(jsonb_object_agg(place, n), '{}') from (
         select place, sum(n::int) as n from (select * from jsonb_each_text(did) union all select * from jsonb_each_text(?::jsonb)) d(place, n)
         group by place) summed),
       next_at = now() + make_interval(secs => ?::float8 / 1000),
       finished_at = case when ? then coalesce(finished_at, now()) else finished_at end,
       websites = case when ? then '{}' else websites end,
       listings = case when ? then '{}' else listings end
     where tenant = ? and erasure_id = ?::uuid
     returning ${erasureColumns}`,
    [JSON.stringify(pass.did), pass.nextInMs, pass.isLast, pass.isLast, pass.isLast, tenant, erasureId],
  );
  return rows[0]!;
}

/** Erasures whose tombstones stand, the newest first, after `key`. By erasures_by_time. */
export async function readErasures(
  knex: Knex,
  { tenant, limit, key }: { tenant: string; limit: number; key?: TimeKey },
): Promise<{ erasure: Erasure; key: TimeKey }[]> {
  const { rows } = await knex.raw<{ rows: (Erasure & { at: string })[] }>(
    `select ${erasureColumns}, to_char(asked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from erasures
     where tenant = ? and lifted_at is null
       ${key === undefined ? "" : "and (asked_at, erasure_id) < (?::timestamptz, ?::uuid)"}
     order by asked_at desc, erasure_id desc limit ?`,
    [tenant, ...(key === undefined ? [] : [key.at, key.id]), limit],
  );
  return rows.map(({ at, ...erasure }) => ({ erasure, key: { at, id: erasure.erasureId } }));
}

/** How many of these leads still count, in the business figures, under what they told. By primary key. */
export async function countedAsTold(
  knex: Knex,
  { tenant, leadIds }: Pick<Erasure, "tenant" | "leadIds">,
): Promise<number> {
  const { rows } = await knex.raw<{ rows: [{ n: number }] }>(
    `select count(*)::int as n from unnest(?::uuid[]) id
     cross join lateral (select source, vertical, zip from analytics_leads where lead_id = id and tenant = ? offset 0) c
     where (c.source, c.vertical, c.zip) <> ('', '', '')`,
    [leadIds, tenant],
  );
  return rows[0].n;
}

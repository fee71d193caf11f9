import type { Knex } from "knex";
import type { LeadFields, LeadState } from "../leads/lead.ts";
import { toJsonb } from "../leads/row.ts";
import type { Apart } from "./decide.ts";
import { isStopped, type TenantLead } from "./dedupe.sql.ts";
import type { Question } from "./questions.ts";

/**
 * Reviews: what people are asked of two leads, and what they said. A pair has one row for ever.
 *
 *   (none) -- in doubt, or in conflict --> open -- an operator --> merged | apart
 *      \-- unmerge --> apart              merged -- unmerge --> apart
 */

export type ReviewState = "open" | "merged" | "apart";

/**
 * Opens reviews. Of a pair that was asked about before only an open one's evidence is brought up to date, so that a
 * repeat writes nothing. Locks rows in the order given, which must be that of (tenant, low, high). By primary key.
 */
export async function openReviews(trx: Knex, questions: readonly Question[]): Promise<void> {
  await trx.raw(
    `insert into reviews (tenant, low, high, review_id, state, ground, weight, evidence)
     select tenant, low, high, gen_random_uuid(), 'open', ground, weight, evidence
     from jsonb_to_recordset(?::jsonb) as q(tenant text, low uuid, high uuid, ground text, weight real, evidence jsonb)
     on conflict (tenant, low, high) do update
       set ground = excluded.ground, weight = excluded.weight, evidence = excluded.evidence
       where reviews.state = 'open'
         and (reviews.ground, reviews.evidence) is distinct from (excluded.ground, excluded.evidence)`,
    [toJsonb(questions)],
  );
}

/**
 * Which of these leads, none of them merged, stand for leads that are kept apart: pairs of them. Reads who is merged into
 * them by `leads_by_winner`, and those pairs by primary key; where a tenant keeps none apart, nothing but that, by
 * `reviews_by_state`. Locks nothing: a pair comes to be kept apart under the lock of the leads that they stand for.
 */
export async function readApart(trx: Knex, roots: readonly TenantLead[]): Promise<Apart[]> {
  const { rows } = await trx.raw<{ rows: { a: string; b: string }[] }>(
    `with roots as materialized (
       select tenant, lead_id from unnest(?::text[], ?::uuid[]) as r(tenant, lead_id)
       where exists (select from reviews v where v.tenant = r.tenant and v.state = 'apart')
     ), members as materialized (
       select tenant, lead_id as root, lead_id from roots
       union all
       select r.tenant, r.lead_id, c.lead_id from roots r cross join lateral (
         select l.lead_id from leads l where l.tenant = r.tenant and l.merged_into = r.lead_id offset 0
       ) c
     )
     select distinct m.root as a, o.root as b
     from members m
     cross join lateral (
       select v.high from reviews v where v.tenant = m.tenant and v.low = m.lead_id and v.state = 'apart' offset 0
     ) v
     join members o on o.tenant = m.tenant and o.lead_id = v.high and o.root <> m.root`,
    [roots.map(({ tenant }) => tenant), roots.map(({ leadId }) => leadId)],
  );
  return rows.map(({ a, b }) => [a, b] as const);
}

export interface ReviewPair {
  tenant: string;
  low: string;
  high: string;
  state: ReviewState;
}

/** A review by its id, by `reviews_by_id`. Locks nothing. */
export async function reviewOf(trx: Knex, tenant: string, reviewId: string): Promise<ReviewPair | undefined> {
  const { rows } = await trx.raw<{ rows: ReviewPair[] }>(
    "select tenant, low, high, state from reviews where tenant = ? and review_id = ?",
    [tenant, reviewId],
  );
  return rows[0];
}

/** Settles a review that is open; false when it is not any more. By primary key. The leads are locked by the caller. */
export async function settleReview(trx: Knex, { tenant, low, high }: ReviewPair, state: ReviewState): Promise<boolean> {
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `update reviews set state = ?, decided_at = now() where tenant = ? and low = ? and high = ? and state = 'open'`,
    [state, tenant, low, high],
  );
  return rowCount === 1;
}

/**
 * Keeps each of `ones` apart from each of `others`, whatever was said before. In the order of the pairs, by primary key.
 * A repeat writes nothing. The leads that they stand for are locked by the caller.
 */
export async function keepApart(trx: Knex, tenant: string, ones: string[], others: string[]): Promise<void> {
  await trx.raw(
    `insert into reviews (tenant, low, high, review_id, state, ground, decided_at)
     select ?::text, least(a, b), greatest(a, b), gen_random_uuid(), 'apart', 'unmerge', now()
     from unnest(?::uuid[]) a cross join unnest(?::uuid[]) b
     order by 2, 3
     on conflict (tenant, low, high) do update set state = 'apart', ground = 'unmerge', decided_at = now()
       where reviews.state <> 'apart'`,
    [tenant, ones, others],
  );
}

export interface ReviewSide {
  id: string;
  status: LeadState;
  source: string;
  /** What it told itself: what was compared. */
  fields: LeadFields;
  acceptedAt: number;
}

export interface ReviewRow {
  id: string;
  state: ReviewState;
  ground: string;
  weight: number | null;
  evidence: { level: string; weight: number }[];
  openedAt: number;
  decidedAt: number | null;
  leads: ReviewSide[];
  /** When it was opened, with microseconds, for the next page's cursor. */
  at: string;
}

const takesPart = `(l.state in ('in_progress', 'completed', 'merged') or ${isStopped})`;
const side = (
  lead: string,
) => `jsonb_build_object('id', ${lead}.lead_id, 'status', ${lead}.state, 'source', ${lead}.source,
  'fields', coalesce(${lead}.own, ${lead}.fields), 'acceptedAt', round(extract(epoch from ${lead}.accepted_at) * 1000))`;

/**
 * A tenant's reviews in one state, the newest first, after `key` where one is given; an open one of leads that are one by
 * now, or of which one takes no part any more, asks nothing and is left out. By `reviews_by_state`; the leads by primary key.
 */
export async function readReviews(
  knex: Knex,
  {
    tenant,
    state,
    limit,
    key,
  }: { tenant: string; state: ReviewState; limit: number; key?: { at: string; id: string } },
): Promise<ReviewRow[]> {
  const { rows } = await knex.raw<{ rows: ReviewRow[] }>(
    `select r.review_id as id, r.state, r.ground, r.weight, r.evidence,
       round(extract(epoch from r.opened_at) * 1000)::float8 as "openedAt",
       round(extract(epoch from r.decided_at) * 1000)::float8 as "decidedAt",
       jsonb_build_array(${side("l")}, ${side("h")}) as leads,
       to_char(r.opened_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
     from reviews r
     cross join lateral (select l.*, ${takesPart} as takes_part from leads l where l.lead_id = r.low and l.tenant = r.tenant offset 0) l
     cross join lateral (select l.*, ${takesPart} as takes_part from leads l where l.lead_id = r.high and l.tenant = r.tenant offset 0) h
     where r.tenant = ? and r.state = ? ${key ? "and (r.opened_at, r.review_id) < (?::timestamptz, ?::uuid)" : ""}
       and (r.state <> 'open' or (coalesce(l.merged_into, l.lead_id) <> coalesce(h.merged_into, h.lead_id)
         and l.takes_part and h.takes_part))
     order by r.opened_at desc, r.review_id desc
     limit ?`,
    [tenant, state, ...(key ? [key.at, key.id] : []), limit],
  );
  return rows;
}

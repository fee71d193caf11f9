import type { Knex } from "knex";
import type { LetterKey } from "./letter-id.ts";

/** What lists and jobs ask for. Times are ms since 1970, both ends included. */
export interface LetterFilter {
  stage?: string | undefined;
  error?: string | undefined;
  since?: number | undefined;
  until?: number | undefined;
  /** These and no others. */
  ids?: readonly LetterKey[] | undefined;
}

/** A dead letter as the index knows it. */
export interface LetterRow extends LetterKey {
  tenant: string;
  kind: "lead" | "work" | "foreign";
  stage: string;
  lane: string | null;
  errorType: string;
  leadId: string | null;
  attempts: number;
  state: "dead" | "claimed" | "redriven" | "discarded" | "gone" | "merged";
  jobId: string | null;
  claim: number | null;
  closedAt: number | null;
}

/** The columns of a {@link LetterRow}, of the table called `d`. */
export const letterColumns = `d.tenant, d.seq::float8 as seq, round(extract(epoch from d.died_at) * 1000)::float8 as "diedAt", d.kind,
  d.stage, d.lane, d.error_type as "errorType", d.lead_id as "leadId", d.attempts, d.state, d.job_id as "jobId",
  d.claim::float8 as claim, round(extract(epoch from d.closed_at) * 1000)::float8 as "closedAt"`;

/** Rows that are looked through for a page of all tenants' letters with a filter. */
const windowRows = 2_000;

/** Conditions on open rows, of the table called `as`, that are within a page's or a job's bounds, and their bindings. */
export function within(
  filter: LetterFilter,
  after: LetterKey | undefined,
  order: "asc" | "desc",
  as: string,
): { sql: string; bindings: Record<string, unknown> } {
  const conditions = [`${as}.state = 'dead'`];
  const bindings: Record<string, unknown> = {};
  const add = (condition: string, values: Record<string, unknown>) => {
    conditions.push(condition);
    Object.assign(bindings, values);
  };
  if (filter.since !== undefined)
    add(`${as}.died_at >= to_timestamp((:since)::float8 / 1000)`, { since: filter.since });
  if (filter.until !== undefined)
    add(`${as}.died_at <= to_timestamp((:until)::float8 / 1000)`, { until: filter.until });
  if (after)
    add(
      `(${as}.died_at, ${as}.seq) ${order === "asc" ? ">" : "<"} (to_timestamp((:diedAt)::float8 / 1000), (:seq)::bigint)`,
      {
        diedAt: after.diedAt,
        seq: after.seq,
      },
    );
  if (filter.ids)
    add(
      `(${as}.seq, ${as}.died_at) in (select s, to_timestamp(m / 1000) from unnest((:seqs)::bigint[], (:moments)::float8[]) as u(s, m))`,
      {
        seqs: filter.ids.map(({ seq }) => seq),
        moments: filter.ids.map(({ diedAt }) => diedAt),
      },
    );
  return { sql: conditions.join(" and "), bindings };
}

/**
 * The source of open letters in order, from each kind of them (tenant, stage, error) up to `:limit`, by dead_letters_open.
 * The kinds are few, however many letters there are; they are taken from the counts. `bounds` are conditions on `o`.
 */
export function openLetters(tenant: string | undefined, filter: LetterFilter, bounds: string, order: "asc" | "desc") {
  const kinds = [
    "g.open > 0",
    ...(tenant === undefined ? [] : ["g.tenant = :tenant"]),
    ...(filter.stage === undefined ? [] : ["g.stage = :stage"]),
    ...(filter.error === undefined ? [] : ["g.error_type = :error"]),
  ];
  return {
    sql: `dead_letter_counts g cross join lateral (
       select * from dead_letters o
       where o.tenant = g.tenant and o.stage = g.stage and o.error_type = g.error_type
         and ${bounds}
       order by o.died_at ${order}, o.seq ${order} limit :limit
     ) d where ${kinds.join(" and ")}`,
    bindings: {
      ...(tenant === undefined ? {} : { tenant }),
      ...(filter.stage === undefined ? {} : { stage: filter.stage }),
      ...(filter.error === undefined ? {} : { error: filter.error }),
    },
  };
}

export interface LetterPage {
  rows: LetterRow[];
  /** Where the next page begins. */
  next: LetterKey | null;
}

/** A tenant's open letters, or all tenants' where none is given, newest first, in one look into the index a kind. */
export async function pageByKinds(
  knex: Knex,
  tenant: string | undefined,
  filter: LetterFilter,
  after: LetterKey | undefined,
  limit: number,
): Promise<LetterPage> {
  const bounds = within(filter, after, "desc", "o");
  const open = openLetters(tenant, filter, bounds.sql, "desc");
  const { rows } = await knex.raw<{ rows: LetterRow[] }>(
    `select ${letterColumns} from ${open.sql} order by d.died_at desc, d.seq desc limit :limit`,
    { ...bounds.bindings, ...open.bindings, limit: limit + 1 },
  );
  return { rows: rows.slice(0, limit), next: rows.length > limit ? rows[limit - 1]! : null };
}

/**
 * Open letters of all tenants, newest first, by dead_letters_by_time. Stage and error are looked for among the next 2,000:
 * such a page may be short and have a next. (By kinds it would be a look a tenant.)
 */
export async function everyonesPage(
  knex: Knex,
  filter: LetterFilter,
  after: LetterKey | undefined,
  limit: number,
): Promise<LetterPage> {
  const plain = filter.stage === undefined && filter.error === undefined;
  const bounds = within(filter, after, "desc", "d");
  const fits = [
    ...(filter.stage === undefined ? [] : ["d.stage = :stage"]),
    ...(filter.error === undefined ? [] : ["d.error_type = :error"]),
  ];
  const bindings = {
    ...bounds.bindings,
    ...(filter.stage === undefined ? {} : { stage: filter.stage }),
    ...(filter.error === undefined ? {} : { error: filter.error }),
    limit: plain ? limit + 1 : windowRows,
  };
  // The last one that was looked at comes along, fitting or not: the next page begins behind it.
  const { rows } = await knex.raw<{ rows: (LetterRow & { fits: boolean; looked: number })[] }>(
    `with seen as materialized (
       select * from dead_letters d where ${bounds.sql} order by d.died_at desc, d.seq desc limit :limit
     ), looked as (
       select d.*, (${fits.join(" and ") || "true"}) as fits, count(*) over () as looked,
         row_number() over (order by d.died_at, d.seq) = 1 as is_last
       from seen d
     )
     select ${letterColumns}, d.fits, d.looked::int as looked from looked d where d.fits or d.is_last
     order by d.died_at desc, d.seq desc`,
    bindings,
  );
  const looked = rows[0]?.looked ?? 0;
  const fitting = rows.filter((row) => row.fits).map(({ fits: _fits, looked: _looked, ...row }) => row);
  if (fitting.length > limit) return { rows: fitting.slice(0, limit), next: fitting[limit - 1]! };
  return { rows: fitting, next: !plain && looked === windowRows ? rows.at(-1)! : null };
}

/** How many open letters there are by stage and error; all tenants' together where none is given. By the counts alone. */
export async function countsOf(
  knex: Knex,
  tenant: string | undefined,
): Promise<{ stage: string; error: string; count: number }[]> {
  const { rows } = await knex.raw(
    `select stage, error_type as error, sum(open)::float8 as count from dead_letter_counts
     where open > 0 and ${tenant === undefined ? "true" : "tenant = :tenant"}
     group by stage, error_type order by count desc, stage, error limit 1000`,
    tenant === undefined ? {} : { tenant },
  );
  return rows;
}

/** The open letter that has waited for longest: one look into dead_letters_by_time, or one a kind into dead_letters_open. */
export async function oldestLetter(knex: Knex, tenant: string | undefined): Promise<LetterRow | undefined> {
  const open =
    tenant === undefined
      ? { sql: "dead_letters d where d.state = 'dead'", bindings: {} }
      : openLetters(tenant, {}, within({}, undefined, "asc", "o").sql, "asc");
  const { rows } = await knex.raw<{ rows: LetterRow[] }>(
    `select ${letterColumns} from ${open.sql} order by d.died_at, d.seq limit :limit`,
    { ...open.bindings, limit: 1 },
  );
  return rows[0];
}

/** How many open letters a filter meets, `most` at the most. From the counts, or, where times or ids are given, by dead_letters_open. */
export async function countLetters(
  knex: Knex,
  tenant: string | undefined,
  filter: LetterFilter,
  most: number,
): Promise<number> {
  const bounds = within(filter, undefined, "asc", "o");
  const byKind = filter.since === undefined && filter.until === undefined && filter.ids === undefined;
  const open = openLetters(tenant, filter, bounds.sql, "asc");
  const source = byKind ? open.sql.slice(open.sql.lastIndexOf("where")) : "";
  const { rows } = byKind
    ? await knex.raw(`select coalesce(sum(g.open), 0)::float8 as n from dead_letter_counts g ${source}`, open.bindings)
    : await knex.raw(`select count(*)::float8 as n from (select 1 from ${open.sql} limit :limit) found`, {
        ...bounds.bindings,
        ...open.bindings,
        limit: most,
      });
  return Math.min(most, rows[0].n);
}

/** One letter, whatever its state, by the primary key. */
export async function letterRow(
  knex: Knex,
  tenant: string | undefined,
  key: LetterKey,
): Promise<LetterRow | undefined> {
  const { rows } = await knex.raw<{ rows: LetterRow[] }>(
    `select ${letterColumns} from dead_letters d
     where d.seq = :seq and d.died_at = to_timestamp((:diedAt)::float8 / 1000)
       and ${tenant === undefined ? "true" : "d.tenant = :tenant"}`,
    { seq: key.seq, diedAt: key.diedAt, ...(tenant === undefined ? {} : { tenant }) },
  );
  return rows[0];
}

/** All letters of a lead, oldest first, by dead_letters_of_lead. */
export async function lettersOfLead(knex: Knex, tenant: string, leadId: string): Promise<LetterRow[]> {
  const { rows } = await knex.raw<{ rows: LetterRow[] }>(
    `select ${letterColumns} from dead_letters d where d.lead_id = ? and d.tenant = ? order by d.died_at, d.seq limit 100`,
    [leadId, tenant],
  );
  return rows;
}

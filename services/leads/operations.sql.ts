import type { Knex } from "knex";
import { toJsonb } from "./row.ts";

/** A line of the log of operations. Times are ms since 1970. */
export interface OperationRow {
  id: string;
  tenant: string;
  at: number;
  by: string;
  what: string;
  target: string;
  detail: Record<string, unknown>;
  /** null: not known. */
  result: string | null;
  endedAt: number | null;
}

/**
 * Books lines, each operation once in `rows`; a line is told without its result and with it, in any order. By primary key;
 * a repeat changes nothing.
 */
export async function bookOperations(knex: Knex, rows: readonly OperationRow[]): Promise<void> {
  await knex.raw(
    `insert into operations (operation_id, tenant, at, by, what, target, detail, result, ended_at)
     select id, tenant, to_timestamp(at / 1000), by, what, target, detail, result, to_timestamp("endedAt" / 1000)
     from jsonb_to_recordset(?::jsonb) as told(id uuid, tenant text, at float8, by text, what text, target text,
       detail jsonb, result text, "endedAt" float8)
     order by id
     on conflict (operation_id) do update set result = excluded.result, ended_at = excluded.ended_at
     where operations.result is null and excluded.result is not null`,
    [toJsonb(rows)],
  );
}

export interface OperationFilter {
  /** undefined: everybody's. */
  tenant?: string | undefined;
  /** The last one of the page before. */
  after?: { at: number; id: string } | undefined;
}

/**
 * The newest lines, by operations_by_time, or a tenant's, by operations_of_tenant: in the order of the column, as `at` alone would
 * be what is made of it here, which no index has.
 */
export async function listOperations(
  knex: Knex,
  { tenant, after }: OperationFilter,
  limit: number,
): Promise<OperationRow[]> {
  const { rows } = await knex.raw<{ rows: OperationRow[] }>(
    `select operation_id as id, tenant, round(extract(epoch from at) * 1000)::float8 as at, by, what, target, detail,
       result, round(extract(epoch from ended_at) * 1000)::float8 as "endedAt"
     from operations
     where ${tenant === undefined ? "true" : "tenant = :tenant"}
       and ${after ? "(at, operation_id) < (to_timestamp((:at)::float8 / 1000), (:id)::uuid)" : "true"}
     order by operations.at desc, operation_id desc limit :limit`,
    { limit, ...(tenant === undefined ? {} : { tenant }), ...after },
  );
  return rows;
}

/** Takes away at most `limit` lines that are older than so many days, by operations_by_time; answers how many. */
export async function sweepOperations(knex: Knex, days: number, limit: number): Promise<number> {
  const { rowCount } = await knex.raw<{ rowCount: number }>(
    `delete from operations o using (
       select operation_id from operations where at < now() - make_interval(days => ?)
       order by at limit ? for update skip locked
     ) old
     where o.operation_id = old.operation_id`,
    [days, limit],
  );
  return rowCount;
}

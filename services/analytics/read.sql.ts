import type { Knex } from "knex";
import { statement } from "../../mixins/knex.ts";
import type { Axis, Sums } from "./figures.ts";
import { columns } from "./measures.ts";

/**
 * The statements that read the business figures: sums of sums, a row a day and value, never a lead. By the primary keys of
 * analytics_days, analytics_zips and analytics_rule_days. They lock nothing and are not locked out.
 */

export interface Asked {
  /** undefined: all tenants. */
  tenant: string | undefined;
  /** Days of acceptance (UTC), both counted in: `2026-11-01`. */
  from: string;
  to: string;
  source?: string;
  vertical?: string;
  zip?: string;
}

export interface SumRow extends Sums {
  key: string;
  day?: string;
}

const summed = columns.map((column) => `sum(${column})::float8 as ${column}`).join(", ");
const dayText = "to_char(day, 'YYYY-MM-DD')";

/** The part of the figures that is asked for: the table, and the condition with what is bound to it. */
function part({ tenant, from, to, ...filters }: Asked, axis: Axis): { of: string; bindings: string[] } {
  const table = axis === "zip" || filters.zip !== undefined ? "analytics_zips" : "analytics_days";
  const equal = Object.entries({ tenant, ...filters }).filter(([, value]) => value !== undefined) as [string, string][];
  const where = ["day between ?::date and ?::date", ...equal.map(([column]) => `${column} = ?`)];
  return { of: `${table} where ${where.join(" and ")}`, bindings: [from, to, ...equal.map(([, value]) => value)] };
}

/** All of it in one row. */
export async function totalsOf(knex: Knex, asked: Asked, axis: Axis): Promise<Sums> {
  const { of, bindings } = part(asked, axis);
  const { rows } = await statement(() => knex.raw<{ rows: [Sums] }>(`select ${summed} from ${of}`, bindings));
  return rows[0];
}

/** A row a day that has any. */
export async function daysOf(knex: Knex, asked: Asked): Promise<SumRow[]> {
  const { of, bindings } = part(asked, "day");
  const { rows } = await statement(() =>
    knex.raw<{ rows: SumRow[] }>(`select ${dayText} as key, ${summed} from ${of} group by day order by day`, bindings),
  );
  return rows;
}

/**
 * A row a value of the axis, those that took most leads in first, `limit` at the most; with `daily` a row for each of their
 * days. `values`: how many there are.
 */
export async function valuesOf(
  knex: Knex,
  asked: Asked,
  axis: Exclude<Axis, "day">,
  { limit, daily }: { limit: number; daily: boolean },
): Promise<{ rows: SumRow[]; values: number }> {
  const { of, bindings } = part(asked, axis);
  const each = daily ? `, ${dayText} as day` : "";
  const { rows } = await statement(() =>
    knex.raw<{ rows: (SumRow & { values: number; place: number })[] }>(
      `with top as materialized (
         select ${axis} as key, count(*) over ()::int as values,
           (row_number() over (order by sum(taken_in) desc, sum(cost_micro) desc, ${axis}))::int as place
         from ${of} group by ${axis} order by place limit ?
       )
       select top.key, top.values, top.place${each}, ${summed}
       from top join (select * from ${of}) f on f.${axis} = top.key
       group by top.key, top.values, top.place${daily ? ", day order by place, day" : " order by place"}`,
      [...bindings, limit, ...bindings],
    ),
  );
  return {
    rows: rows.map(({ values: _values, place: _place, ...row }) => row as SumRow),
    values: rows[0]?.values ?? 0,
  };
}

export interface RuleRow {
  fired: { name?: unknown; points?: unknown; multiplier?: unknown };
  leads: number;
  scores: number;
}

/** A row a rule that fired, the most often first. */
export async function rulesOf(knex: Knex, { tenant, from, to }: Asked): Promise<RuleRow[]> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: RuleRow[] }>(
      `select r.fired, sum(d.leads)::float8 as leads, sum(d.scores)::float8 as scores
       from analytics_rule_days d join analytics_rules r using (rule_id)
       where d.day between ?::date and ?::date ${tenant === undefined ? "" : "and d.tenant = ?"}
       group by r.rule_id order by 2 desc, r.fired->>'name', r.rule_id limit 1000`,
      [from, to, ...(tenant === undefined ? [] : [tenant])],
    ),
  );
  return rows;
}

/** All that was committed before this moment is counted, ms since 1970. 0: nothing has been counted yet. */
export async function countedAt(knex: Knex): Promise<number> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: [{ at: number }] }>("select (extract(epoch from at) * 1000)::float8 as at from analytics_counted"),
  );
  return Math.floor(rows[0].at);
}

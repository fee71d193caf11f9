import type { Knex } from "knex";

/** Tables with more rows than this are large: what reads one from end to end gets slower with every lead. */
export const largeRows = 20_000;

/** A statement of the product and how PostgreSQL would run it, whatever its parameters. */
export interface Planned {
  text: string;
  calls: number;
  meanMs: number;
  /** The steps of its plan, each once; `p*` stands for any partition. */
  plan: string;
  /** Large tables that it reads from end to end. */
  scans: string[];
  /** Why it could not be planned. */
  fault?: string;
}

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  Plans?: PlanNode[];
}

/** Makes the statistics of statements be kept, and forgets those so far. */
export async function watchStatements(knex: Knex): Promise<void> {
  await knex.raw("create extension if not exists pg_stat_statements");
  await knex.raw("select pg_stat_statements_reset()");
}

/**
 * Every statement that ran since, but the bench's own, with its generic plan. Statements are kept with their constants
 * turned into parameters; one that cannot be planned so is told with the reason.
 */
export async function plannedStatements(knex: Knex): Promise<Planned[]> {
  const large = await largeTables(knex);
  const { rows } = await knex.raw(`
    select query as text, calls::int, mean_exec_time as "meanMs" from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database())
      and query ~* '^[\\s(]*(select|insert|update|delete|with)' and query !~ '/[*] bench [*]/|pg_stat_statements'
    order by total_exec_time desc`);
  const planned: Planned[] = [];
  for (const statement of rows as Planned[]) {
    try {
      const plan = await anyPlan(knex, statement.text);
      const scans = scansOf(plan).filter((table) => large.has(table));
      planned.push({ ...statement, plan: [...new Set(stepsOf(plan))].join(", "), scans });
    } catch (error) {
      planned.push({ ...statement, plan: "", scans: [], fault: (error as Error).message.split(" - ").at(-1)! });
    }
  }
  return planned;
}

/** Tables and partitions of them, by what PostgreSQL thinks that they hold; a partition counts as its whole table. */
async function largeTables(knex: Knex): Promise<ReadonlySet<string>> {
  const { rows } = await knex.raw(
    `with relations as (
       select c.relname, c.reltuples, coalesce(i.inhparent, c.oid) as whole
       from pg_class c left join pg_inherits i on i.inhrelid = c.oid
       where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
     )
     select relname from relations
     where whole in (select whole from relations group by whole having sum(greatest(reltuples, 0)) > ?)`,
    [largeRows],
  );
  return new Set(rows.map(({ relname }: { relname: string }) => relname));
}

/**
 * A plan for a statement whose constants have become parameters. Where only a word or a literal may stand it gets one; and
 * where a parameter's type cannot be told, the first that fits.
 */
async function anyPlan(knex: Knex, text: string): Promise<PlanNode> {
  const mended = text
    .replace(/\bextract\s*\(\s*\$\d+\s+from\b/gi, "extract(epoch from")
    .replace(/\binterval\s+\$\d+/gi, "interval '1 day'")
    // PostgreSQL 18 takes the word itself for a constant where a parameter is cast.
    .replace(/\$\d+\((\$\d+ as \w+)\)/g, "cast($1)")
    .replace(/\$\d+\((\$\d+ as \w+)\[\]\)/g, "cast($1[])");
  try {
    return await genericPlan(knex, mended);
  } catch (error) {
    const parameters = [...new Set(mended.match(/\$\d+(?!\d|::)/g))];
    for (const type of ["int", "text"]) {
      for (const parameter of parameters) {
        const typed = mended.replaceAll(new RegExp(`\\${parameter}(?!\\d|::)`, "g"), `${parameter}::${type}`);
        const plan = await genericPlan(knex, typed).catch(() => undefined);
        if (plan) return plan;
      }
    }
    throw error;
  }
}

async function genericPlan(knex: Knex, text: string): Promise<PlanNode> {
  // Past Knex, which reads every question mark as a binding.
  const connection = await knex.client.acquireConnection();
  try {
    const { rows } = await connection.query({ text: `explain (generic_plan, format json) ${text}` });
    return rows[0]["QUERY PLAN"][0].Plan as PlanNode;
  } finally {
    await knex.client.releaseConnection(connection);
  }
}

function stepsOf(node: PlanNode): string[] {
  const of = node["Index Name"] ?? node["Relation Name"];
  const own = of === undefined ? node["Node Type"] : `${node["Node Type"]} ${of.replace(/_p\d+/, "_p*")}`;
  return [own, ...(node.Plans ?? []).flatMap(stepsOf)];
}

function scansOf(node: PlanNode): string[] {
  const own = /Seq Scan/.test(node["Node Type"]) ? [node["Relation Name"] ?? "?"] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scansOf)];
}

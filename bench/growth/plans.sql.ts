import type { Knex } from "knex";

/** Tables with more rows than this are large: what reads one from end to end gets slower with every lead. */
export const largeRows = 20_000;

/** A statement of the product and how PostgreSQL would run it, whatever its parameters. */
export interface Planned {
  text: string;
  calls: number;
  meanMs: number;
  /** Large tables that it reads from end to end. */
  scans: string[];
  /** Why it could not be planned. */
  fault?: string;
}

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
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
      const plan = await genericPlan(knex, statement.text);
      planned.push({ ...statement, scans: scansOf(plan).filter((table) => large.has(table)) });
    } catch (error) {
      planned.push({ ...statement, scans: [], fault: (error as Error).message.split(" - ").at(-1)! });
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

async function genericPlan(knex: Knex, text: string): Promise<PlanNode> {
  // Knex reads question marks as bindings: the operators that have one are written with two.
  const connection = await knex.client.acquireConnection();
  try {
    const { rows } = await connection.query({ text: `explain (generic_plan, format json) ${text}` });
    return rows[0]["QUERY PLAN"][0].Plan as PlanNode;
  } finally {
    await knex.client.releaseConnection(connection);
  }
}

function scansOf(node: PlanNode): string[] {
  const own = /Seq Scan/.test(node["Node Type"]) ? [node["Relation Name"] ?? "?"] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scansOf)];
}

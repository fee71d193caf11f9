import { readFileSync, statSync } from "node:fs";
import type { Knex } from "knex";
import { type Logged, loggedStatements } from "./logged.ts";

/** Tables with more rows than this are large: what reads one from end to end gets slower with every lead. */
export const largeRows = 20_000;

/** A statement of the product and how PostgreSQL would run it, whatever its parameters. */
export interface Planned extends Logged {
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
  "Parent Relationship"?: string;
  "Index Cond"?: string;
  Filter?: string;
  Plans?: PlanNode[];
}

/** What has every statement logged, with its time and without what it was given. */
const whileWatching = { log_min_duration_statement: "0", log_parameter_max_length: "0" };

/**
 * Has PostgreSQL log every statement; answers a function that ends this and tells every statement that ran meanwhile, but
 * the bench's own, with its generic plan. From the log, and not from pg_stat_statements, which makes parameters of constants
 * too: `state = 'written'` is what a partial index is found by. One that cannot be planned is told with the reason.
 */
export async function watchStatements(knex: Knex): Promise<() => Promise<Planned[]>> {
  const { rows } = await knex.raw("show data_directory");
  const file = `${rows[0].data_directory}.log`;
  const from = statSync(file).size;
  await logStatements(knex, true);
  return async () => {
    await logStatements(knex, false);
    const large = await largeTables(knex);
    const planned: Planned[] = [];
    for (const statement of loggedStatements(readFileSync(file).subarray(from).toString())) {
      try {
        let plan = await anyPlan(knex, statement.text, false);
        let scans = scansOf(plan, /Seq Scan/).filter((table) => large.has(table));
        if (scans.length > 0) {
          // As the mesh's own connections have it (mixins/knex.ts), where one index or another can serve.
          plan = await anyPlan(knex, statement.text, true);
          scans = scansOf(plan, /Seq Scan|^Index( Only)? Scan$/).filter((table) => large.has(table));
        }
        planned.push({ ...statement, plan: [...new Set(stepsOf(plan))].join(", "), scans });
      } catch (error) {
        planned.push({ ...statement, plan: "", scans: [], fault: (error as Error).message.split(" - ").at(-1)! });
      }
    }
    return planned;
  };
}

async function logStatements(knex: Knex, on: boolean): Promise<void> {
  for (const [name, value] of Object.entries(whileWatching))
    await knex.raw(on ? `alter system set ${name} = '${value}'` : `alter system reset ${name}`);
  await knex.raw("select /* bench */ pg_reload_conf()");
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

/** A plan for a statement, whatever its parameters; where a parameter's type cannot be told, the first that fits. */
async function anyPlan(knex: Knex, text: string, byIndex: boolean): Promise<PlanNode> {
  try {
    return await genericPlan(knex, text, byIndex);
  } catch (error) {
    const parameters = [...new Set(text.match(/\$\d+(?!\d|::)/g))];
    for (const type of ["int", "text"]) {
      for (const parameter of parameters) {
        const typed = text.replaceAll(new RegExp(`\\${parameter}(?!\\d|::)`, "g"), `${parameter}::${type}`);
        const plan = await genericPlan(knex, typed, byIndex).catch(() => undefined);
        if (plan) return plan;
      }
    }
    throw error;
  }
}

async function genericPlan(knex: Knex, text: string, byIndex: boolean): Promise<PlanNode> {
  // Past Knex, which reads every question mark as a binding.
  const connection = await knex.client.acquireConnection();
  try {
    await connection.query(`set enable_seqscan = ${byIndex ? "off" : "on"}`);
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

/**
 * Tables of the steps of these types that read all of them: by no condition of an index. `ofFew`: no more than some rows are
 * asked of it, as by `exists` and `limit`. Without a filter the first ones will do: that is no scan.
 */
function scansOf(node: PlanNode, types: RegExp, ofFew = node["Parent Relationship"] === "InitPlan"): string[] {
  const readsAll = types.test(node["Node Type"]) && node["Index Cond"] === undefined;
  const own = readsAll && !(ofFew && node.Filter === undefined) ? [node["Relation Name"] ?? "?"] : [];
  const few = node["Node Type"] === "Limit" || (ofFew && /Append/.test(node["Node Type"]));
  return [...own, ...(node.Plans ?? []).flatMap((child) => scansOf(child, types, few || undefined))];
}

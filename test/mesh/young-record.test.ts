import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { Databases, transaction } from "../../mixins/knex.ts";
import { countNoted } from "../../services/analytics/count.sql.ts";
import { settleBatch } from "../../services/dedupe/settle.sql.ts";
import { writeMails } from "../../services/email/email.sql.ts";
import { addressHash } from "../../services/email/recipient.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { statesOf } from "../../services/leads/leads.sql.ts";
import { writeEnds } from "../../services/leads/record.ts";
import { unwelcome } from "../../services/leads/tombstones.sql.ts";
import { aLead, passed } from "../support/leads.ts";
import { type TestPlace, testPlace } from "../support/servers.ts";

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  "Actual Loops"?: number;
  Plans?: PlanNode[];
}

/** What the stages and the counter do with some leads. */
async function work(knex: Knex, leads: Lead[]): Promise<void> {
  await settleBatch(knex, "dedupe", leads);
  // Told again: those on record are read.
  await settleBatch(knex, "dedupe", leads);
  const wanted = leads.map(({ tenant, leadId }) => ({
    tenant,
    leadId,
    address: addressHash(`${leadId}@acme.example`),
  }));
  const mail = { to: "a@b.example", subject: "s", html: "h", text: "t", domain: "b.example", timeZone: null };
  await writeMails(knex, "first-contact", wanted, () => ({ ...mail, sending: null }));
  await writeEnds(
    knex,
    leads.map((lead) => ({ lead: passed(lead, "dedupe", "email"), stage: "email", state: "completed" })),
  );
  await transaction(knex, (trx) => countNoted(trx, 1_000));
  await statesOf(knex, leads);
  await unwelcome(knex, leads);
}

const tables = /^((leads|outbox|mail_claims|analytics_leads|lead_keys)_p\d+|merges)$/;
const byDouble = / by leads_p\d+_tenant_merged_into_idx: /;
const byKey = [
  byDouble,
  / by \w+_pkey: .*(lead_id|address) = /,
  / by merges_by_winner: .*winner = /,
  / by lead_keys_p\d+_key_idx: .*key >= /,
];

interface Lookup {
  line: string;
  /** How often it was made, where the plan was run. */
  loops: number | undefined;
}

function lookupsOf({ "Relation Name": table = "", "Node Type": type, Plans = [], ...node }: PlanNode): Lookup[] {
  const line = `${table} by ${node["Index Name"] ?? type}: ${node["Index Cond"]}`;
  return [...(tables.test(table) ? [{ line, loops: node["Actual Loops"] }] : []), ...Plans.flatMap(lookupsOf)];
}

/** With a connection past Knex, which reads every question mark as a binding. */
async function connected<T>(
  knex: Knex,
  use: (query: (text: string, values?: unknown[]) => Promise<any[]>) => Promise<T>,
) {
  const connection = await knex.client.acquireConnection();
  try {
    return await use(async (text, values) => (await connection.query({ text, values })).rows);
  } finally {
    await knex.client.releaseConnection(connection);
  }
}

/** How the tables that grow with leads are read by a statement's plan for any values, where that is not by a lead's key. */
function others(knex: Knex, sql: string): Promise<{ lookups: number; strange: string[] }> {
  return connected(knex, async (query) => {
    // As dedupe has it for its own (`byIndex`).
    await query(`set enable_bitmapscan = ${/from lead_keys\b/.test(sql) ? "off" : "on"}`);
    const [plan] = await query(`explain (generic_plan, format json) ${sql}`);
    const lines = lookupsOf(plan["QUERY PLAN"][0].Plan).map(({ line }) => line);
    return { lookups: lines.length, strange: lines.filter((line) => !byKey.some((key) => key.test(line))) };
  });
}

describe("the statements of every lead are planned by keys, as their plans are kept when the record grows,", () => {
  const statements = new Set<string>();
  let place: TestPlace;
  let databases: Databases;
  before(async () => {
    place = await testPlace();
    databases = new Databases(place.settings);
    const knex = databases.of("acme");
    knex.on("query", ({ sql }: { sql: string }) => {
      // One that locks is planned anew each time: while few leads are on record a join of all of them is cheaper.
      if (/^\s*(select|insert|update|with)/.test(sql) && !/for update of l$/.test(sql)) statements.add(sql);
    });
    const leads = Array.from({ length: 50 }, () => aLead());
    await work(knex, leads);
    knex.removeAllListeners("query");
  });
  after(async () => {
    await databases?.close();
    await place?.[Symbol.asyncDispose]();
  });

  async function planned(knex: Knex): Promise<void> {
    let all = 0;
    for (const sql of statements) {
      const { lookups, strange } = await others(knex, sql);
      assert.deepEqual(strange, [], sql);
      all += lookups;
    }
    assert.ok(all > 100, `${all} look-ups`);
  }

  it("while it is empty", async () => {
    await using empty = await testPlace();
    const young = new Databases(empty.settings);
    await planned(young.of("acme")).finally(() => young.close());
  });

  it("while it is small, and analyzed", async () => {
    const knex = databases.of("acme");
    await knex.raw("analyze");
    await planned(knex);
  });

  it("and look for doubles in every part of it only where a lead ever had one", async () => {
    const claim = [...statements].find((sql) => sql.includes("into mail_claims"))!;
    const campaign = "second-contact";
    const looksFor = (leadId: string, isWinner: boolean) =>
      connected(databases.of("acme"), async (query) => {
        const address = `\\x${addressHash(leadId).toString("hex")}`;
        await query("begin");
        if (isWinner)
          await query(
            `insert into merges (tenant, winner, loser, evidence, loser_before, undone_at)
             values ('acme', $1, gen_random_uuid(), '{}', '{}', now())`,
            [leadId],
          );
        const [plan] = await query(`explain (analyze, format json) ${claim}`, [
          ...[campaign, ["acme"], [leadId], [address], campaign, campaign],
        ]);
        await query("rollback");
        return lookupsOf(plan["QUERY PLAN"][0].Plan).filter(({ line, loops }) => byDouble.test(line) && loops! > 0)
          .length;
      });
    assert.deepEqual([await looksFor(randomUUID(), false), await looksFor(randomUUID(), true)], [0, 16]);
  });
});

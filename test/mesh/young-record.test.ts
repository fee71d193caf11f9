import assert from "node:assert/strict";
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

const tables = /^(leads|outbox|mail_claims|analytics_leads)_p\d+$/;
const byKey = / by \w+_pkey: .*(lead_id|address) = | by leads_p\d+_tenant_merged_into_idx: /;

/** How the tables that grow with leads are read by a statement's plan for any values, where that is not by a lead's key. */
async function others(knex: Knex, sql: string): Promise<{ lookups: number; strange: string[] }> {
  // Past Knex, which reads every question mark as a binding.
  const connection = await knex.client.acquireConnection();
  try {
    const { rows } = await connection.query({ text: `explain (generic_plan, format json) ${sql}` });
    const found: string[] = [];
    const walk = ({ "Relation Name": table = "", "Node Type": type, Plans = [], ...node }: PlanNode) => {
      if (tables.test(table)) found.push(`${table} by ${node["Index Name"] ?? type}: ${node["Index Cond"]}`);
      for (const below of Plans) walk(below);
    };
    walk(rows[0]["QUERY PLAN"][0].Plan);
    return { lookups: found.length, strange: found.filter((line) => !byKey.test(line)) };
  } finally {
    await knex.client.releaseConnection(connection);
  }
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
});

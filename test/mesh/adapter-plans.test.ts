import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { KnexAdapter, type PageParams } from "../../mixins/knex-adapter.ts";
import { leadsTable } from "../../services/leads/leads-table.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";

const many = 50_000;
/** A UUID that is the same at every run. */
const idOf = (sql: string) => `overlay(overlay(md5(${sql}) placing '4' from 13) placing '8' from 17)::uuid`;

describe("reading over fifty thousand leads", function () {
  this.timeout(120_000);
  let mesh: TestMesh;
  let knex: Knex;
  const call = (action: string, params: object): Promise<any> => mesh.broker.call(`leads.${action}`, params);
  after(() => mesh?.[Symbol.asyncDispose]());
  before(async () => {
    mesh = await startMesh({
      services: ["services/leads/leads.service.ts"],
      env: { LEADS_STATEMENT_TIMEOUT_MS: "60000" },
    });
    knex = mesh.resources.databases.of("big");
    await knex.raw(
      `insert into leads (tenant, lead_id, revision, step, state, stage, source, trust, tier, name, email, phone, domain, vertical, fields, score, accepted_at)
       select case n % 5 when 0 then 'small' else 'big' end, ${idOf("'lead ' || n")}, n, 1,
              (array['completed', 'merged', 'rejected', 'dead', 'in_progress'])[1 + n % 5], 'score', 's' || n % 3, 50, 1, 'n' || n,
              'u' || n || '@d.example', '+1312' || n, 'd' || n % 1000 || '.example', 'v', '{}',
              case when n % 2 = 0 then n % 101 end, now() - make_interval(secs => n)
       from generate_series(1, ?) n`,
      [many],
    );
    await knex.raw("vacuum analyze leads");
  });

  it("serves every statement by an index, not by a scan of the table", async () => {
    const adapter = new KnexAdapter(leadsTable, () => knex);
    const lists: Omit<PageParams, "tenant" | "limit">[] = [
      { sort: "accepted" },
      { sort: "accepted", filters: { state: "dead" } },
      { sort: "accepted", filters: { email: "u77@d.example" } },
      { sort: "accepted", filters: { phone: "+131277" } },
      { sort: "accepted", filters: { domain: "d7.example" } },
      { sort: "accepted", filters: { state: "completed", source: "s1", vertical: "none", minScore: 99 } },
      { sort: "accepted", filters: { source: "nobody" } },
      { sort: "score" },
      { sort: "score", filters: { minScore: 90 } },
      { sort: "score", filters: { state: "rejected", email: "u77@d.example" } },
    ];
    const statements: [string, Knex.QueryBuilder][] = [];
    for (const tenant of ["big", "small"]) {
      for (const list of lists) {
        const params = { tenant, limit: 50, ...list };
        const name = `${tenant} ${JSON.stringify(list)}`;
        statements.push([name, adapter.pageQuery(params)]);
        const { next } = await adapter.page(params);
        if (next) statements.push([`${name}, next page`, adapter.pageQuery({ ...params, cursor: next })]);
      }
      statements.push([`${tenant} count`, adapter.countQuery({ tenant })]);
      statements.push([`${tenant} count dead`, adapter.countQuery({ tenant, filters: { state: "dead" } })]);
      statements.push([`${tenant} get`, adapter.findByIdsQuery(tenant, [randomUUID()], leadsTable.columns.get)]);
    }
    assert.ok(statements.length > 30);
    for (const [name, query] of statements) {
      const { sql, bindings } = query.toSQL().toNative();
      assert.deepEqual(await scans(sql, bindings), [], name);
    }
  });

  it("serves a lead's sources, its mock-up and its acceptance by an index", async () => {
    const seen: { sql: string; bindings: readonly any[] }[] = [];
    const note = ({ sql, bindings }: { sql: string; bindings: readonly any[] }) => seen.push({ sql, bindings });
    knex.on("query", note);
    await assert.rejects(call("get", { tenant: "big", id: randomUUID() }), { type: "NOT_FOUND" });
    const [{ lead_id: id }] = await knex("leads").where({ tenant: "big" }).limit(1);
    await call("get", { tenant: "big", id });
    await assert.rejects(call("mockup", { tenant: "big", id }), { type: "NOT_FOUND" });
    knex.removeListener("query", note);
    const ours = seen.filter(({ sql }) => /from (acceptances|merged)|mockup as draft/.test(sql));
    assert.equal(ours.length, 3);
    for (const { sql, bindings } of ours) assert.deepEqual(await scans(sql, bindings), [], sql);
  });

  it("tells how far an import is: exactly of few leads, of many from a sample, by the index of imports", async () => {
    const [few, large, other] = [randomUUID(), randomUUID(), randomUUID()] as const;
    // A fifth of the large one has not come to the record; the few are as many as are counted.
    await knex.raw(
      `insert into acceptances (tenant, lead_id, accepted_at, import_id)
       select case n % 5 when 0 then 'small' else 'big' end, ${idOf("'lead ' || n")}, now(),
              cast(case when n % 5 = 0 then :other when n <= 6250 then :few else :large end as uuid)
       from generate_series(1, cast(:many as int)) n
       union all
       select 'big', ${idOf("'new ' || n")}, now(), cast(:large as uuid) from generate_series(1, 8750) n`,
      { few, large, other, many },
    );
    await knex.raw("analyze acceptances");
    const seen: { sql: string; bindings: readonly any[] }[] = [];
    const note = ({ sql, bindings }: { sql: string; bindings: readonly any[] }) => seen.push({ sql, bindings });
    knex.on("query", note);
    const exact = await call("import", { tenant: "big", id: few });
    const sample = await call("import", { tenant: "big", id: large });
    knex.removeListener("query", note);
    assert.equal(exact.about, false);
    assert.deepEqual(exact.states, { merged: 1_250, rejected: 1_250, dead: 1_250, in_progress: 1_250 });
    assert.equal(sample.about, true);
    const all = 35_000 + 8_750;
    const truth = { merged: 8_750, rejected: 8_750, dead: 8_750, in_progress: 17_500 };
    assert.deepEqual(Object.keys(sample.states).sort(), Object.keys(truth).sort());
    for (const [state, leads] of Object.entries(truth))
      assert.ok(Math.abs(sample.states[state] - leads) < all * 0.05, `${state}: ${sample.states[state]} of ${leads}`);
    const sum = Object.values<number>(sample.states).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - all) < all * 0.05, `${sum} of ${all}`);
    assert.deepEqual((await call("import", { tenant: "small", id: large })).states, {}, "another tenant's");
    const ours = seen.filter(({ sql }) => sql.includes("import_erasures"));
    assert.equal(ours.length, 2);
    for (const { sql, bindings } of ours) {
      const plan = await planOf(sql, bindings);
      assert.ok(
        plan.some((line) => /Index Scan (using|on) acceptances_p\d+_import_id/.test(line)),
        plan.join("\n"),
      );
      assert.deepEqual(await scans(sql, bindings), []);
    }
  });

  it("walks a page of a rare value in bounded steps, and finds all of it", async () => {
    const [{ lead_id: rare }] = await knex("leads").where({ tenant: "big" }).orderBy("accepted_at").limit(1);
    await knex("leads").where({ lead_id: rare }).update({ source: "rare" });
    let cursor: string | undefined;
    const found: string[] = [];
    let pages = 0;
    do {
      const page = await call("list", { tenant: "big", source: "rare", ...(cursor && { cursor }) });
      found.push(...page.items.map((item: any) => item.leadId));
      cursor = page.next ?? undefined;
      pages++;
    } while (cursor);
    assert.deepEqual(found, [rare]);
    assert.equal(pages, 1 + (many * 0.8) / 2_000);
  });

  async function planOf(sql: string, bindings: readonly any[]): Promise<string[]> {
    const connection = await knex.client.acquireConnection();
    try {
      const { rows } = await connection.query(`explain ${sql}`, bindings);
      return rows.map((row: any) => row["QUERY PLAN"]);
    } finally {
      await knex.client.releaseConnection(connection);
    }
  }

  /** Sequential scans of the record's tables in the plan of a statement. */
  async function scans(sql: string, bindings: readonly any[]): Promise<string[]> {
    return (await planOf(sql, bindings)).filter((line) => /Seq Scan on (leads|acceptances)/.test(line));
  }
});

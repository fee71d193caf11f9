import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import { KnexAdapter } from "../../mixins/knex-adapter.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { leadsTable } from "../../services/leads/leads-table.ts";
import { insertLeads, writeEnds } from "../../services/leads/record.ts";
import { aLead, passed } from "../support/leads.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";

const base = 1_760_000_000_000;

describe("reading leads through moleculer-db", function () {
  this.timeout(120_000);
  let mesh: TestMesh;
  let knex: Knex;
  const call = (action: string, params: object): Promise<any> => mesh.broker.call(`leads.${action}`, params);
  const refused = async (action: string, params: object) => {
    const error = await call(action, params).then(
      () => assert.fail(`${action} ${JSON.stringify(params)} was answered`),
      (error) => error,
    );
    return { code: error.code, type: error.type, field: error.data?.faults?.[0]?.field ?? error.data?.[0]?.field };
  };
  const insert = (leads: Lead[]) => transaction(knex, (trx) => insertLeads(trx, "dedupe", leads));

  before(async () => {
    mesh = await startMesh({
      services: ["services/leads/leads.service.ts"],
      env: { LEADS_STATEMENT_TIMEOUT_MS: "60000" },
    });
    knex = mesh.resources.databases.of("acme");
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  describe("a list", () => {
    const tenant = "pages";
    const leads: Lead[] = [];
    before(async () => {
      for (let n = 0; n < 120; n++) {
        leads.push(
          aLead({
            tenant,
            // Three share each moment: the id decides among them.
            revision: base + Math.floor(n / 3),
            source: n % 10 === 0 ? "yelp" : "csv",
            fields: {
              name: `Lead ${n}`,
              email: `info${n}@shop.example`,
              domain: "shop.example",
              vertical: n % 2 ? "retail" : "food",
            },
          }),
        );
      }
      await insert(leads);
      const scored = leads
        .slice(0, 60)
        .map((lead, n) => ({ ...lead, score: { value: n % 50, version: "v", fired: [] } }));
      await writeEnds(
        knex,
        scored.map((lead) => ({
          lead: passed(lead, "score"),
          stage: "score",
          state: "completed",
          reason: "below_threshold",
        })),
      );
      await insert([aLead({ tenant: "neighbour", revision: base + 1_000 })]);
    });

    const readAll = async (params: object): Promise<{ ids: string[]; items: any[]; pages: number }> => {
      const items: any[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await call("list", { tenant, ...params, ...(cursor && { cursor }) });
        items.push(...page.items);
        cursor = page.next ?? undefined;
        assert.ok(++pages < 200, "the pages end");
      } while (cursor);
      return { ids: items.map((item) => item.leadId), items, pages };
    };

    it("gives every lead of the tenant once, newest first, page by page", async () => {
      const { ids, items, pages } = await readAll({ limit: 7 });
      const expected = [...leads].sort((a, b) => b.revision - a.revision || (a.leadId < b.leadId ? 1 : -1));
      assert.deepEqual(
        ids,
        expected.map((lead) => lead.leadId),
      );
      assert.equal(pages, Math.ceil(120 / 7));
      assert.ok(items.every((item) => item.tenant === tenant));
    });

    it("neither repeats nor skips a lead when new ones come between two pages", async () => {
      const first = await call("list", { tenant, limit: 100 });
      const late = aLead({ tenant, revision: base + 999 });
      await insert([late]);
      const second = await call("list", { tenant, limit: 100, cursor: first.next });
      assert.equal(second.next, null);
      assert.equal(new Set([...first.items, ...second.items].map((item: any) => item.leadId)).size, 120);
      await knex("leads").where({ lead_id: late.leadId }).del();
    });

    it("gives the best first when sorted by score, and none without one", async () => {
      const { items } = await readAll({ sort: "score", limit: 9 });
      const scores = items.map((item) => item.score.value);
      assert.equal(items.length, 60);
      assert.deepEqual(
        scores,
        [...scores].sort((a, b) => b - a),
      );
      assert.equal((await readAll({ sort: "score", minScore: 45, limit: 3 })).items.length, 5);
    });

    it("filters by state, source, vertical and score, by one or several of them", async () => {
      assert.equal((await readAll({ state: "completed", limit: 11 })).ids.length, 60);
      assert.equal((await readAll({ state: "in_progress", source: "yelp", limit: 2 })).ids.length, 6);
      assert.equal((await readAll({ vertical: "food" })).ids.length, 60);
      assert.equal((await readAll({ stage: "score", minScore: 40 })).ids.length, 10);
      assert.equal((await readAll({ state: "rejected" })).ids.length, 0);
    });

    it("finds an e-mail address, a phone number and a domain by their exact value", async () => {
      const [found] = (await call("list", { tenant, q: " INFO17@shop.example" })).items;
      assert.equal(found.leadId, leads[17]!.leadId);
      assert.equal((await readAll({ q: "Shop.example", limit: 50 })).ids.length, 120);
      assert.equal((await readAll({ q: "+13125550100" })).ids.length, 0);
      assert.equal((await call("find", { tenant, q: "info3@shop.example" }))[0].leadId, leads[3]!.leadId);
    });

    it("counts, and says no more than that there are as many as asked for", async () => {
      assert.equal(await call("count", { tenant }), 120);
      assert.equal(await call("count", { tenant, state: "completed" }), 60);
      assert.equal(await call("count", { tenant, limit: 100 }), 100);
      assert.equal(await call("count", { tenant: "nobody" }), 0);
    });

    it("refuses a cursor that it did not give, whatever it holds", async () => {
      const { next } = await call("list", { tenant, limit: 5 });
      const code = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const wrong = [
        "x",
        "bm90IGpzb24",
        code({}),
        code(["accepted", "2026-01-01T00:00:00.000000Z"]),
        code(["accepted", "2026-01-01T00:00:00.000000Z", "no-uuid"]),
        code(["accepted", "2026-13-41T00:00:00.000000Z", randomUUID()]),
        code(["accepted", "1'; drop table leads; --", randomUUID()]),
        code(["score", "10", randomUUID()]),
      ];
      for (const cursor of wrong)
        assert.deepEqual(await refused("list", { tenant, cursor }), { code: 422, type: "VALIDATION", field: "cursor" });
      assert.equal((await refused("list", { tenant, sort: "score", cursor: next })).field, "cursor");
    });

    it("refuses what it was not made for: no tenant, a free query, an offset, an unknown sort, too many at once", async () => {
      for (const params of [
        {},
        { tenant, query: { tenant: "acme" } },
        { tenant, offset: 5 },
        { tenant, sort: "name" },
        { tenant, limit: 201 },
        { tenant: "A b" },
      ])
        assert.equal((await refused("list", params)).code, 422);
      assert.equal((await refused("count", { tenant, source: "csv" })).code, 422);
    });

    it("shows only the fields that are named", async () => {
      const [item] = (await call("list", { tenant, limit: 1 })).items;
      assert.deepEqual(Object.keys(item).sort(), [
        "acceptedAt",
        "fields",
        "leadId",
        "revision",
        "source",
        "sourceId",
        "stage",
        "state",
        "tenant",
        "tier",
        "trust",
        "updatedAt",
      ]);
    });
  });

  describe("a lead", () => {
    it("is answered whole: timeline, score, whether it has a mock-up, its sources and those merged into it", async () => {
      const draft = {
        template: "plain",
        headline: "h",
        tagline: "t",
        sections: [],
        callToAction: "c",
        palette: "p",
        improvements: [],
      };
      const lead = aLead({
        tenant: "one",
        facts: { site: { status: "ok" } },
        warnings: [{ field: "email", message: "no address" }],
      });
      const [twin, third] = [aLead({ tenant: "one" }), aLead({ tenant: "one" })];
      await insert([lead, twin, third]);
      await writeEnds(knex, [
        {
          lead: passed({ ...lead, mockup: draft, score: { value: 70, version: "v", fired: [] } }, "score", "email"),
          stage: "email",
          state: "completed",
          reason: "written",
        },
        { lead: passed(twin, "dedupe"), stage: "dedupe", state: "merged", into: lead.leadId },
        { lead: passed(third, "dedupe"), stage: "dedupe", state: "merged", into: twin.leadId },
      ]);
      const answer = await call("get", { tenant: "one", id: lead.leadId.toUpperCase() });
      const { fields, facts, warnings, trust, tier, source, revision } = lead;
      assert.deepEqual(
        { ...answer, updatedAt: 0, sources: new Set(answer.sources.map((s: any) => s.sourceId)) },
        {
          tenant: "one",
          leadId: lead.leadId,
          revision,
          state: "completed",
          reason: "written",
          stage: "email",
          source,
          sourceId: lead.leadId,
          trust,
          tier,
          fields,
          warnings,
          facts,
          score: { value: 70, version: "v", fired: [] },
          mockup: true,
          acceptedAt: revision,
          updatedAt: 0,
          timeline: passed(lead, "score", "email").timeline,
          sources: new Set([lead.leadId, twin.leadId, third.leadId]),
        },
      );
      assert.equal((await call("get", { tenant: "one", id: twin.leadId })).mergedInto, lead.leadId);
      assert.deepEqual((await call("mockup", { tenant: "one", id: lead.leadId })).draft, draft);
      assert.equal((await refused("mockup", { tenant: "one", id: twin.leadId })).type, "NOT_FOUND");
    });

    it("is queued when it was accepted and has not come to the record", async () => {
      const leadId = randomUUID();
      await knex("acceptances").insert({ tenant: "one", lead_id: leadId, accepted_at: new Date(base) });
      assert.deepEqual(await call("get", { tenant: "one", id: leadId }), {
        tenant: "one",
        leadId,
        state: "queued",
        acceptedAt: base,
      });
    });

    it("is not there for another tenant, by any action", async () => {
      const lead = aLead({ tenant: "mine", fields: { name: "n", email: "me@mine.example" } });
      await insert([lead]);
      const queued = randomUUID();
      await knex("acceptances").insert({ tenant: "mine", lead_id: queued, accepted_at: new Date(base) });
      for (const id of [lead.leadId, queued]) assert.equal((await refused("get", { tenant: "theirs", id })).code, 404);
      assert.equal((await refused("mockup", { tenant: "theirs", id: lead.leadId })).code, 404);
      assert.deepEqual((await call("list", { tenant: "theirs", q: "me@mine.example" })).items, []);
      assert.deepEqual(await call("find", { tenant: "theirs" }), []);
      assert.equal(await call("count", { tenant: "theirs" }), 0);
    });

    it("cannot be written through an action, nor read by id alone", async () => {
      for (const action of ["create", "insert", "update", "remove"])
        assert.equal((await refused(action, { tenant: "one", id: randomUUID() })).type, "SERVICE_NOT_FOUND");
      const adapter = new KnexAdapter(leadsTable, () => knex);
      await assert.rejects(() => adapter.findById(), /by tenant/);
    });
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeChoice } from "../../../services/budget/status.sql.ts";
import type { SemrushFacts } from "../../../services/leads/lead.ts";
import { databaseOf, parseReport, sortReport } from "../../../services/semrush/read.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import { semrushKey, semrushStub } from "../../support/providers/semrush.ts";
import { stage } from "../../support/stages.ts";

describe("what SEMrush knows of a domain", () => {
  let stub: HttpStub;
  let mesh: TestMesh;
  before(async function () {
    this.timeout(60_000);
    stub = await semrushStub();
    mesh = await startMesh({
      flow: [{ name: "end" }],
      services: [stage("end"), "services/budget/budget.service.ts", "services/semrush/semrush.service.ts"],
      env: { LEADS_SEMRUSH_URL: stub.url, LEADS_SEMRUSH_KEY: semrushKey },
    });
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await stub?.[Symbol.asyncDispose]();
  });
  const facts = (tenant: string, domain: string, more: object = {}) =>
    mesh.broker.call<SemrushFacts, object>("semrush.facts", {
      tenant,
      domain,
      country: "US",
      effect: randomUUID(),
      ...more,
    });
  const spent = async (tenant: string) =>
    (await mesh.broker.call<any, object>("budget.status", { tenant })).providers.semrush.spentMicro;

  it("is read from its two reports by their headings, and booked by API units", async () => {
    const { askedAt, ...found } = await facts("acme", "seobook.com");
    assert.deepEqual(found, {
      status: "ok",
      rank: 24_041,
      organicKeywords: 5_249,
      organicTraffic: 37_332,
      organicCostUsd: 143_496,
      adwordsKeywords: 0,
      score: 74,
      backlinks: 22_063_983,
      referringDomains: 49_145,
    });
    assert.ok(askedAt! > Date.now() - 60_000);
    assert.equal(await spent("acme"), (10 + 40) * 50);
  });

  it("is that nobody finds it, where nothing is found: a fact, and no units for the lines there are not", async () => {
    const { askedAt: _at, ...found } = await facts("nothing", "unknown-joe.example");
    assert.deepEqual(found, {
      status: "ok",
      organicKeywords: 0,
      organicTraffic: 0,
      organicCostUsd: 0,
      adwordsKeywords: 0,
      backlinks: 0,
      referringDomains: 0,
    });
    assert.equal(await spent("nothing"), 40 * 50);
  });

  it("stops at nine tenths of what may be spent, for it is not essential; its first half is paid once", async () => {
    const choice = { providers: { semrush: 2_600 } };
    await writeChoice(mesh.resources.databases.of("poor"), "poor", choice);
    const effect = randomUUID();
    const served = stub.served;
    for (let n = 0; n < 2; n++)
      await assert.rejects(facts("poor", "poor.example", { effect }), { type: "OVER_BUDGET" });
    assert.equal(await spent("poor"), 500, "2,500 of 2,600 are more than nine tenths");
    assert.equal(stub.served, served + 1, "the second time the ledger has it");
  });

  it("is refused for a database that was not bought, which is nobody's outage", async () => {
    await assert.rejects(facts("acme", "joe.example", { country: "ZZ" }), {
      type: "PROVIDER_REFUSED",
      data: { provider: "semrush", reason: "ERROR_133" },
    });
    assert.deepEqual([databaseOf("GB"), databaseOf("US")], ["uk", "us"]);
  });

  it("is sorted by the number of its errors", () => {
    const kind = (code: number) => sortReport(parseReport(`ERROR ${code} :: SOME WORDS\n`))?.kind;
    assert.deepEqual([50].map(kind), ["good"]);
    assert.deepEqual([120, 121, 122, 130].map(kind), ["down", "down", "down", "down"]);
    assert.deepEqual([131, 132, 134].map(kind), ["later", "later", "later"]);
    assert.deepEqual([40, 41, 133, 135].map(kind), ["never", "never", "never", "never"]);
    assert.equal(sortReport(parseReport("ascore;total;domains_num\n74;1;1")), null);
  });

  it("is nothing where lines and headings do not fit", () => {
    for (const text of ["", "<html>", "Domain;Rank\njoe.example", "Rank;Visitors\n1;2"])
      assert.throws(() => parseReport(text), Error, text);
    assert.deepEqual(parseReport('"Domain";"Rank"\r\n"joe.example";"7"\r\n').rows, [
      { Domain: "joe.example", Rank: "7" },
    ]);
    assert.deepEqual(parseReport("Domain;Rank\n").rows, []);
  });
});

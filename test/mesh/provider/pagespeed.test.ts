import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startSites } from "../../../bin/demo/sites.ts";
import { driftOf } from "../../../services/budget/status.sql.ts";
import type { Lead, PageSpeedFacts } from "../../../services/leads/lead.ts";
import { eventually } from "../../support/eventually.ts";
import { aLead } from "../../support/leads.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { testPlace } from "../../support/servers.ts";
import { acceptLive, quick, stage } from "../../support/stages.ts";

const budget = "services/budget/budget.service.ts";
const pagespeed = "services/pagespeed/pagespeed.service.ts";
const site = "services/site/site.service.ts";
const enrich = "services/enrich/enrich.service.ts";
/** The bucket of the gate is made by any stage; here by this one. */
const flow = [{ name: "end", ...quick }];
const envOf = (stub: HttpStub, more: Record<string, string> = {}) => ({
  LEADS_PAGESPEED_URL: stub.url,
  LEADS_PAGESPEED_KEY: pagespeedKey,
  LEADS_PAGESPEED_PRICE: "1000",
  ...more,
});
const facts = (mesh: TestMesh, url: string, effect: string = randomUUID()) =>
  mesh.broker.call<PageSpeedFacts, object>("pagespeed.facts", { tenant: "acme", url, effect });
const today = async (mesh: TestMesh) => {
  const { today, open } = await mesh.broker.call<any, object>("budget.status", { tenant: "acme" });
  return { spent: today.spentMicro, reserved: today.reservedMicro, open };
};

describe("PageSpeed", () => {
  it("measures a site once, keeps it by its URL, and books it", async () => {
    await using stub = await pagespeedStub();
    await using mesh = await startMesh({ flow, services: [stage("end"), budget, pagespeed], env: envOf(stub) });
    const found = await facts(mesh, "https://joe.example/");
    assert.deepEqual([found.status, found.performance, found.lcpMs], ["ok", 52, 5_021]);
    assert.deepEqual(await eventually("an answer", () => facts(mesh, "https://joe.example/")), found);
    await facts(mesh, "https://ann.example/");
    await eventually("the second is kept, too", async () => {
      const before = stub.served;
      await facts(mesh, "https://ann.example/");
      return stub.served === before;
    });
    assert.deepEqual(await today(mesh), { spent: stub.served * 1_000, reserved: 0, open: 0 });
    assert.deepEqual(await driftOf(mesh.resources.databases.of("acme")), []);
  });

  it("pays nothing for an effect that it has paid before, when the cache is gone: the ledger has the answer", async () => {
    await using stub = await pagespeedStub();
    await using mesh = await startMesh({ flow, services: [stage("end"), budget, pagespeed], env: envOf(stub) });
    const found = await facts(mesh, "https://joe.example/", "lead 1");
    await mesh.broker.cacher?.clean();
    assert.deepEqual(await facts(mesh, "https://joe.example/", "lead 1"), found);
    assert.equal(stub.served, 1);
  });

  for (const [daily, atOnce] of [
    [25_000, 16],
    [50_000, 32],
  ] as const)
    it(`is asked by an instance for ${atOnce} sites at once, where it gives ${daily} calls a day`, async () => {
      await using stub = await pagespeedStub();
      const env = envOf(stub, { LEADS_PAGESPEED_DAILY: String(daily) });
      await using mesh = await startMesh({ flow, services: [stage("end"), budget, pagespeed], env });
      stub.delayMs = 1_000;
      const asked = Array.from({ length: 40 }, (_, n) => facts(mesh, `https://site-${n}.example/`));
      await eventually("as many are asked for as may be", () => stub.open === atOnce);
      assert.equal(stub.requests.length, atOnce);
      stub.delayMs = 0;
      await Promise.all(asked);
    });

  it("will never answer for a page that Lighthouse cannot load, and says why", async () => {
    await using stub = await pagespeedStub();
    await using mesh = await startMesh({ flow, services: [stage("end"), budget, pagespeed], env: envOf(stub) });
    for (const [host, reason] of [
      ["unloadable-joe.example", "FAILED_DOCUMENT_REQUEST"],
      ["crashing-joe.example", "ERRORED_DOCUMENT_REQUEST"],
    ])
      await assert.rejects(facts(mesh, `https://${host}/`), {
        type: "PROVIDER_REFUSED",
        data: { provider: "pagespeed", reason },
      });
    assert.deepEqual(await today(mesh), { spent: 0, reserved: 0, open: 0 });
  });

  it("is asked anew about a page that it could not measure: what may be otherwise in a moment is not kept", async () => {
    await using stub = await pagespeedStub();
    await using mesh = await startMesh({ flow, services: [stage("end"), budget, pagespeed], env: envOf(stub) });
    for (const served of [1, 2]) {
      await assert.rejects(facts(mesh, "https://blank-joe.example/", "lead 1"), {
        type: "PROVIDER_REFUSED",
        data: { provider: "pagespeed", reason: "NO_FCP" },
      });
      assert.equal(stub.served, served);
    }
  });

  it("is paid three times at the most for a page that it does not answer for, while it answers for others", async () => {
    await using stub = await pagespeedStub();
    const env = envOf(stub, { LEADS_PROVIDER_TIMEOUT_MS: "1000" });
    await using mesh = await startMesh({ flow, services: [stage("end"), budget, pagespeed], env });
    const told: unknown[] = [];
    for (let n = 1; n <= 3; n++) {
      stub.delayMs = 3_000;
      const slow = facts(mesh, "https://slow-joe.example/", "lead 1").catch((error) => error);
      await eventually("it is asked for", () => stub.open === 1);
      stub.delayMs = 0;
      await facts(mesh, `https://ann-${n}.example/`);
      const { type, data } = await slow;
      told.push([type, data?.reason]);
      await eventually("it is asked no more", () => stub.open === 0);
    }
    const served = stub.requests.length;
    await assert.rejects(facts(mesh, "https://slow-joe.example/", "lead 1"), { type: "PROVIDER_REFUSED" });
    assert.equal(stub.requests.length, served);
    assert.deepEqual(told, [
      ["OUTAGE", undefined],
      ["OUTAGE", undefined],
      ["PROVIDER_REFUSED", "unanswered"],
    ]);
    assert.deepEqual(await today(mesh), { spent: 6_000, reserved: 0, open: 0 });
  });

  it("calls nobody when the budget is used up, or the ledger cannot be asked", async () => {
    await using stub = await pagespeedStub();
    await using mesh = await startMesh({
      flow,
      services: [stage("end"), budget, pagespeed],
      env: envOf(stub, { LEADS_BUDGET_DAY: "1500" }),
    });
    await facts(mesh, "https://joe.example/");
    await assert.rejects(facts(mesh, "https://ann.example/"), { type: "OVER_BUDGET" });
    assert.equal(stub.requests.length, 1);
    await mesh.broker.destroyService("budget");
    await assert.rejects(facts(mesh, "https://bob.example/"), { type: /^SERVICE_NOT_/ });
    assert.equal(stub.requests.length, 1);
  });

  it("keeps its key out of the registry that every node reads", async () => {
    await using place = await testPlace();
    await using stub = await pagespeedStub();
    const services = [stage("end"), budget, pagespeed];
    await using mesh = await startMesh({ flow, place, services, env: envOf(stub) });
    await using other = await startMesh({ flow, place, services: [] });
    await other.broker.waitForServices("pagespeed");
    // What the node says of itself, as another one has received it.
    const told = JSON.stringify((other.broker.registry as any).nodes.get(mesh.broker.nodeID).rawInfo);
    assert.match(told, /pagespeed/);
    assert.ok(!told.includes(pagespeedKey));
  });
});

describe("the enrich stage with PageSpeed", () => {
  const enriching = [
    { name: "enrich", ...quick },
    { name: "end", ...quick },
  ];
  const web = (name: string): Lead =>
    aLead({ fields: { name, website: `http://${name}.example/`, domain: `${name}.example` } });
  function end() {
    const arrived = new Map<string, Lead>();
    const service = stage("end", {
      async checkpoint(_stage, verdicts) {
        for (const { lead } of verdicts) arrived.set(lead.leadId, lead);
      },
    });
    return { arrived, service };
  }
  const services = [site, enrich, budget, pagespeed];
  const env = (sites: { url: string }, stub: HttpStub, more = {}) =>
    envOf(stub, {
      LEADS_FETCH: "generator",
      LEADS_GENERATOR_URL: sites.url,
      LEADS_PROBE_MIN_MS: "50",
      LEADS_PROBE_MAX_MS: "200",
      ...more,
    });

  it("puts the measurement on each lead, or why there is none", async () => {
    await using stub = await pagespeedStub();
    await using sites = await startSites();
    const { arrived, service } = end();
    await using mesh = await startMesh({ flow: enriching, services: [...services, service], env: env(sites, stub) });
    const [good, down, none] = [web("modern-joe"), web("down-joe"), aLead()];
    await acceptLive(mesh, [good, down, none]);
    await eventually("all arrived", () => arrived.size === 3);
    const of = (lead: Lead) => arrived.get(lead.leadId)!.facts.pagespeed!;
    assert.deepEqual([of(good).status, of(good).performance], ["ok", 52]);
    assert.deepEqual(of(down), { status: "not_measured", reason: "reset" });
    assert.deepEqual(of(none), { status: "not_measured", reason: "no_website" });
    assert.equal(stub.requests.length, 1);
  });

  it("says that it is off, and goes on: without a key, and where nothing is fetched", async () => {
    await using stub = await pagespeedStub();
    await using sites = await startSites();
    for (const [more, reason] of [
      [{ LEADS_PAGESPEED_KEY: "" }, "no_key"],
      [{ LEADS_FETCH: "off" }, "fetch_off"],
    ] as const) {
      const { arrived, service } = end();
      await using mesh = await startMesh({
        flow: enriching,
        services: [...services, service],
        env: env(sites, stub, more),
      });
      await acceptLive(mesh, [web("modern-joe")]);
      await eventually("it arrived", () => arrived.size === 1);
      assert.deepEqual([...arrived.values()][0]!.facts.pagespeed, { status: "off", reason });
    }
    assert.equal(stub.requests.length, 0);
  });

  it("waits while PageSpeed is down, burns no try, and goes on when it is back", async () => {
    await using stub = await pagespeedStub();
    await using sites = await startSites();
    const { arrived, service } = end();
    await using mesh = await startMesh({ flow: enriching, services: [...services, service], env: env(sites, stub) });
    stub.failure = "500";
    await acceptLive(mesh, [web("modern-joe")]);
    const state = () => mesh.broker.call<any>("enrich.state");
    await eventually("it waits for pagespeed", async () => (await state()).outage?.dependency === "pagespeed");
    stub.failure = "none";
    // An open circuit lets one through after 15 s.
    await eventually("it arrived", () => arrived.size === 1, { withinMs: 30_000 });
    const [lead] = arrived.values();
    assert.equal(lead!.facts.pagespeed!.status, "ok");
    assert.equal(lead!.timeline.find(({ stage }) => stage === "enrich")!.attempt ?? 1, 1);
  });

  it("pays three times at the most for an answer that cannot be read, and goes on without it", async () => {
    await using stub = await pagespeedStub();
    await using sites = await startSites();
    const { arrived, service } = end();
    await using mesh = await startMesh({ flow: enriching, services: [...services, service], env: env(sites, stub) });
    stub.failure = "another shape";
    await acceptLive(mesh, [web("modern-joe")]);
    await eventually("it arrived", () => arrived.size === 1, { withinMs: 30_000 });
    const [lead] = arrived.values();
    assert.deepEqual(lead!.facts.pagespeed, { status: "failed", reason: "unreadable" });
    assert.equal(lead!.timeline.find(({ stage }) => stage === "enrich")!.attempt ?? 1, 1);
    // The lead may come again, for another of its batch or another provider.
    const { tenant, leadId, revision, fields } = lead!;
    const order = { tenant, leadId, url: fields.website, effect: `${leadId} ${revision}` };
    const told = await eventually("PageSpeed, closed for so many of them, opens again", async () => {
      const error = await mesh.broker.call<any, object>("pagespeed.facts", order).catch((fault) => fault);
      return error.type !== "PROVIDER_LATER" && error;
    });
    assert.deepEqual([told.type, told.data.reason], ["PROVIDER_REFUSED", "unreadable"]);
    assert.equal(stub.requests.length, 3);
    assert.equal((await today(mesh)).spent, 3_000);
  });

  it("ends a lead as over budget where the tenant wants that, or goes on without, and else lets it wait, without a try", async () => {
    await using stub = await pagespeedStub();
    await using sites = await startSites();
    for (const choice of ["complete", "wait", "without"] as const) {
      const { arrived, service } = end();
      await using mesh = await startMesh({
        flow: enriching,
        services: [...services, service],
        env: env(sites, stub, { LEADS_BUDGET_DAY: "1500", LEADS_OVER_BUDGET: choice }),
      });
      await acceptLive(mesh, [web("modern-joe")]);
      await eventually("the first arrived", () => arrived.size === 1);
      const second = web("modern-ann");
      await acceptLive(mesh, [second]);
      if (choice === "without") {
        await eventually("the second arrived", () => arrived.size === 2);
        const { pagespeed } = arrived.get(second.leadId)!.facts;
        assert.deepEqual(pagespeed, { status: "not_measured", reason: "over_budget" });
        continue;
      }
      const stats = async () => (await mesh.broker.call<any>("enrich.state")).stats;
      await eventually(`it ${choice}s`, async () => (await stats())[choice] === 1);
      assert.equal((await stats()).retry, 0);
      assert.equal(arrived.size, 1);
      if (choice === "wait") continue;
      const { rows } = await mesh.resources.databases
        .of("acme")
        .raw("select state, reason from leads where lead_id = ?", [second.leadId]);
      assert.deepEqual(rows, [{ state: "completed", reason: "over_budget" }]);
    }
  });
});

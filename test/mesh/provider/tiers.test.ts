import assert from "node:assert/strict";
import { startSites } from "../../../bin/demo/sites.ts";
import { screenshotKey as nameOf } from "../../../config/names.ts";
import { ObjectStore } from "../../../mixins/object-store.ts";
import type { OverBudget } from "../../../services/budget/caps.ts";
import { writeChoice } from "../../../services/budget/status.sql.ts";
import { dayOf, nextWindow } from "../../../services/budget/windows.ts";
import { notLooked } from "../../../services/enrich/ask.ts";
import type { Lead, Tier } from "../../../services/leads/lead.ts";
import { writeTier } from "../../../services/leads/tenants.sql.ts";
import { eventually } from "../../support/eventually.ts";
import { aLead } from "../../support/leads.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { picture, screenshotKey, screenshotStub } from "../../support/providers/screenshot.ts";
import { semrushKey, semrushStub } from "../../support/providers/semrush.ts";
import { acceptLive, quick, stage } from "../../support/stages.ts";

const flow = [
  { name: "enrich", ...quick },
  { name: "end", ...quick },
];
const services = ["budget", "site", "enrich", "pagespeed", "screenshot", "semrush"].map(
  (name) => `services/${name}/${name}.service.ts`,
);

/** A lead of a tenant with a site of this name, told with this tier or with none. */
function lead(tenant: string, name: string, tier?: Tier, domain = `${name}.example`): Lead {
  const { tier: _own, ...made } = aLead({ tenant, fields: { name, website: `http://${name}.example/`, domain } });
  return tier === undefined ? made : { ...made, tier };
}

describe("the enrich stage, by a lead's tier", () => {
  let sites: Awaited<ReturnType<typeof startSites>>;
  let stubs: Record<"pagespeed" | "screenshot" | "semrush", Awaited<ReturnType<typeof pagespeedStub>>>;
  let mesh: TestMesh;
  const arrived = new Map<string, Lead>();
  const end = stage("end", {
    async checkpoint(_stage, verdicts) {
      for (const verdict of verdicts) arrived.set(verdict.lead.leadId, verdict.lead);
    },
  });
  before(async function () {
    this.timeout(60_000);
    sites = await startSites();
    stubs = { pagespeed: await pagespeedStub(), screenshot: await screenshotStub(), semrush: await semrushStub() };
    mesh = await startMesh({
      flow,
      services: [...services, end],
      env: {
        LEADS_FETCH: "generator",
        LEADS_GENERATOR_URL: sites.url,
        LEADS_PAGESPEED_URL: stubs.pagespeed.url,
        LEADS_PAGESPEED_KEY: pagespeedKey,
        LEADS_SCREENSHOT_URL: stubs.screenshot.url,
        LEADS_SCREENSHOT_KEY: screenshotKey,
        LEADS_SCREENSHOT_PRICE: "9000",
        LEADS_SEMRUSH_URL: stubs.semrush.url,
        LEADS_SEMRUSH_KEY: semrushKey,
      },
    });
  });
  beforeEach(() => {
    stubs.screenshot.failure = "none";
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await sites?.[Symbol.asyncDispose]();
    for (const stub of Object.values(stubs ?? {})) await stub[Symbol.asyncDispose]();
  });
  const through = async (leads: Lead[]) => {
    await acceptLive(mesh, leads);
    await eventually("they arrived", () => leads.every(({ leadId }) => arrived.has(leadId)), { withinMs: 20_000 });
    return leads.map(({ leadId }) => arrived.get(leadId)!);
  };
  const stats = async (): Promise<Record<"wait" | "retry" | "complete", number>> =>
    (await mesh.broker.call<any>("enrich.state")).stats;

  /** Till when what was parked last waits, ms since 1970. */
  const parkedUntil = async () => {
    const { stream } = mesh.names.park;
    const jsm = await mesh.nats.jetstreamManager();
    const { state } = await jsm.streams.info(stream);
    const { header } = await jsm.streams.getMessage(stream, { seq: state.last_seq });
    return Date.parse(header.get("Nats-Schedule").replace("@at ", ""));
  };

  it("asks PageSpeed alone in tier 1, takes a picture in tier 2, asks SEMrush too in tier 3", async () => {
    await writeTier(mesh.resources.databases.of("deep"), "deep", 3);
    const told = [lead("acme", "modern-joe"), lead("acme", "modern-ann", 2), lead("deep", "modern-bob")];
    const [one, two, three] = (await through(told)).map(({ facts }) => facts);
    assert.deepEqual(Object.keys(one!).sort(), ["pagespeed", "site"]);
    assert.deepEqual(Object.keys(two!).sort(), ["pagespeed", "screenshot", "site"]);
    assert.deepEqual(Object.keys(three!).sort(), ["pagespeed", "screenshot", "semrush", "site"]);
    for (const facts of [two, three]) assert.equal(facts!.screenshot!.status, "ok");
    assert.deepEqual([three!.semrush!.status, three!.semrush!.organicTraffic], ["ok", 37_332]);
    const store = new ObjectStore(mesh.resources.nats, mesh.names.objects.screenshots);
    assert.deepEqual(Buffer.from((await store.get(nameOf("deep", told[2]!.leadId)))!), picture);
    assert.equal(await store.get(nameOf("acme", told[0]!.leadId)), null);
    assert.equal(stubs.semrush.requests.filter((path) => path.includes("modern-bob.example")).length, 2);
  });

  it("says why there is nothing: no site to be seen, no domain of its own, the provider's own word", async () => {
    const [down, profile, literal] = await through([
      lead("acme", "down-joe", 3),
      lead("acme", "modern-profile", 3, "facebook.com"),
      lead("acme", "modern-literal", 3, "127.0.0.1"),
    ]);
    assert.deepEqual(down!.facts.screenshot, { status: "not_taken", reason: "reset" });
    assert.deepEqual(down!.facts.semrush, { status: "not_asked", reason: "reset" });
    for (const one of [profile, literal])
      assert.deepEqual(one!.facts.semrush, { status: "not_asked", reason: "no_domain" });
    assert.equal(notLooked({ tier: 3 }).semrush!.reason, "fetch_off");
    assert.deepEqual(Object.keys(notLooked({ tier: 1 })), ["pagespeed"]);
  });

  /** The picture costs 9,000 and the two reports 2,500: a second one is within the cap, and above nine tenths of it. */
  const caps = { screenshot: 19_000, semrush: 5_200 };
  for (const [provider, tier] of [
    ["screenshot", 2],
    ["semrush", 3],
  ] as const) {
    /** A tenant that has paid for one of its leads, up to nine tenths of what it may spend on the provider. */
    const poor = async (overBudget: OverBudget) => {
      const tenant = `${provider}-${overBudget}`;
      const choice = { providers: { [provider]: caps[provider] }, overBudget };
      await writeChoice(mesh.resources.databases.of(tenant), tenant, choice);
      const [first] = await through([lead(tenant, `modern-${tenant}`, tier)]);
      assert.equal(first!.facts[provider]!.status, "ok");
      return lead(tenant, `modern-${tenant}-next`, tier);
    };

    it(`waits for the next window where ${provider} may not be paid, without a try, as its tenant chose`, async () => {
      const day = dayOf(Date.now());
      const next = await poor("wait");
      const { wait, retry } = await stats();
      await acceptLive(mesh, [next]);
      await eventually("it waits", async () => (await stats()).wait === wait + 1);
      assert.equal((await stats()).retry, retry);
      assert.ok(!arrived.has(next.leadId));
      assert.ok((await parkedUntil()) >= nextWindow("day", day), "till the next day, UTC");
    });

    it(`ends as over_budget where ${provider} may not be paid, as its tenant chose`, async () => {
      const next = await poor("complete");
      await acceptLive(mesh, [next]);
      const row = () =>
        mesh.resources.databases.of(next.tenant)("leads").where({ lead_id: next.leadId }).first("state", "reason");
      await eventually("it has ended", async () => (await row())?.state === "completed");
      assert.deepEqual(await row(), { state: "completed", reason: "over_budget" });
      assert.ok(!arrived.has(next.leadId));
    });

    it(`goes on without ${provider} where it may not be paid, and says so, as its tenant chose`, async () => {
      const [one] = await through([await poor("without")]);
      const status = { screenshot: "not_taken", semrush: "not_asked" }[provider];
      assert.deepEqual(one!.facts[provider], { status, reason: "over_budget" });
      assert.equal(one!.facts.pagespeed!.status, "ok");
    });
  }

  it("ends a lead whose picture would not fit into an empty window, unless its tenant goes on without", async () => {
    const choose = (tenant: string, overBudget: OverBudget) =>
      writeChoice(mesh.resources.databases.of(tenant), tenant, { providers: { screenshot: 9_500 }, overBudget });
    await choose("never", "wait");
    await choose("careless", "without");
    const before = (await stats()).complete;
    await acceptLive(mesh, [lead("never", "modern-never", 2)]);
    await eventually("it has ended", async () => (await stats()).complete === before + 1);
    const [one] = await through([lead("careless", "modern-careless", 2)]);
    assert.deepEqual(one!.facts.screenshot, { status: "not_taken", reason: "over_budget" });
  });

  it("has the lead that wants it wait for a provider that is down, without a try, and no other", async () => {
    stubs.screenshot.failure = "500";
    const waits = lead("acme", "modern-waits", 2);
    const before = (await stats()).wait;
    await acceptLive(mesh, [waits]);
    await eventually("it waits", async () => (await stats()).wait === before + 1);
    await through([lead("acme", "modern-other", 1), lead("acme", "down-other", 3)]);
    const { outage } = await mesh.broker.call<any>("enrich.state");
    assert.ok(!outage, JSON.stringify(outage));
    assert.equal((await stats()).retry, 0);
    assert.ok(!arrived.has(waits.leadId));
  });

  it("waits while its calls of the month are used, for that can last, unless its tenant goes on without", async () => {
    await writeChoice(mesh.resources.databases.of("hasty"), "hasty", { overBudget: "without" });
    stubs.screenshot.failure = "402";
    const [one] = await through([lead("hasty", "modern-last", 2)]);
    assert.deepEqual(one!.facts.screenshot, { status: "not_taken", reason: "later" });
    const patient = lead("acme", "modern-patient", 2);
    const { wait } = await stats();
    await acceptLive(mesh, [patient]);
    await eventually("it waits", async () => (await stats()).wait > wait);
    assert.ok(!arrived.has(patient.leadId));
  });
});

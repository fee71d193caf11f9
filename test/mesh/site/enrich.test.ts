import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startSites } from "../../../bin/demo/sites.ts";
import type { Lead, SiteFacts } from "../../../services/leads/lead.ts";
import { LookupError } from "../../../services/site/resolve.ts";
import { siteService } from "../../../services/site/site.service.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { ownRedis } from "../../support/servers.ts";
import { acceptLive, quick, stage } from "../../support/stages.ts";

const site = "services/site/site.service.ts";
const enrich = "services/enrich/enrich.service.ts";
const flow = [
  { name: "enrich", ...quick },
  { name: "end", ...quick },
];
const generator = (url: string, more = {}) => ({ LEADS_FETCH: "generator", LEADS_GENERATOR_URL: url, ...more });
const facts = (mesh: TestMesh, url: string) => mesh.broker.call<SiteFacts, { url: string }>("site.facts", { url });

function lead(fields: Partial<Lead["fields"]>): Lead {
  const leadId = randomUUID();
  return {
    leadId,
    tenant: "acme",
    revision: Date.now(),
    source: "t",
    sourceId: leadId,
    trust: "imported",
    tier: 1,
    fields: { name: "Joe", ...fields },
    facts: {},
    timeline: [],
  };
}

/** A last stage that keeps what arrives. */
function end() {
  const arrived = new Map<string, Lead>();
  const service = stage("end", {
    async checkpoint(_stage, verdicts) {
      for (const { lead: one } of verdicts) arrived.set(one.leadId, one);
    },
  });
  return { arrived, service };
}

describe("a site's facts", () => {
  it("are read once for many who ask at the same time, and then come from the cache", async () => {
    await using sites = await startSites();
    await using mesh = await startMesh({ services: [site], env: generator(sites.url) });
    const urls = ["http://modern-joe.example/", "https://www.modern-joe.example/menu", "http://MODERN-joe.example"];
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => facts(mesh, urls[n % 3]!)));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal(answers[0]!.status, "ok");
    assert.equal(sites.requests.get("modern-joe.example"), 2, "robots.txt and the page");
    assert.deepEqual(await eventually("an answer", () => facts(mesh, urls[1]!)), answers[0]);
    assert.equal(sites.requests.get("modern-joe.example"), 2);
  });

  it("come from Redis, and are read anew when it is gone", async function () {
    const redis = await ownRedis();
    if (!redis) return this.skip();
    await using _ended = redis;
    await using sites = await startSites();
    const env = generator(sites.url, { LEADS_REDIS_URL: redis.url });
    const asked = () => sites.requests.get("dated-joe.example") ?? 0;
    await using mesh = await startMesh({ services: [site], env });
    await eventually("the second answer is cached", async () => {
      await facts(mesh, "http://dated-joe.example/");
      const before = asked();
      await facts(mesh, "http://dated-joe.example/");
      return asked() === before;
    });
    redis.freeze();
    const before = asked();
    const answer = await facts(mesh, "http://dated-joe.example/");
    assert.equal(answer.status, "ok");
    assert.ok(asked() > before, "a cache that is gone is a miss");
    redis.thaw();
  });

  it("say why there are none", async () => {
    await using sites = await startSites();
    await using mesh = await startMesh({
      services: [site],
      env: generator(sites.url, { LEADS_FETCH_TIMEOUT_MS: "1800" }),
    });
    const expected = {
      missing: "http_404",
      failing: "http_500",
      down: "reset",
      loop: "redirects",
      inner: "blocked_address",
      endless: "too_large",
      bomb: "too_large",
      drip: "timeout",
      slow: "timeout",
      pdf: "not_html",
      robots: "robots",
    };
    const seen = Object.fromEntries(
      await Promise.all(
        Object.keys(expected).map(async (kind) => [kind, (await facts(mesh, `http://${kind}-joe.example/`)).reason]),
      ),
    );
    assert.deepEqual(seen, expected);
    assert.equal((await facts(mesh, "http://robots-joe.example/")).status, "disallowed");
    assert.deepEqual(await facts(mesh, "http://real.com/"), { status: "not_fetched", reason: "off" });
    assert.equal((await facts(mesh, "no address")).reason, "bad_url");
  });

  it("are not fetched at all unless that is asked for", async () => {
    const outside = { resolve: async () => assert.fail("a name was looked up") };
    await using mesh = await startMesh({ services: [siteService(outside)] });
    assert.deepEqual(await facts(mesh, "http://joe.com/"), { status: "not_fetched", reason: "off" });
  });

  it("are not fetched from the web by a mesh that does not say who it is", async () => {
    await assert.rejects(startMesh({ services: [site], env: { LEADS_FETCH: "web" } }), /LEADS_FETCH_CONTACT/);
  });
});

describe("the enrich stage", () => {
  it("puts each site's facts on its lead, and an address where it had none", async () => {
    await using sites = await startSites();
    const { arrived, service } = end();
    await using mesh = await startMesh({ flow, services: [site, enrich, service], env: generator(sites.url) });
    const read = lead({ website: "http://latin-joe.example/", domain: "latin-joe.example" });
    const down = lead({ website: "http://down-joe.example/", domain: "down-joe.example" });
    const none = lead({ phone: "+13125550100" });
    const hosts = Array.from({ length: 40 }, (_, n) => `modern-shop-${n}.example`);
    const many = hosts.map((domain) => lead({ website: `http://${domain}/`, domain }));
    await acceptLive(mesh, [read, down, none, ...many]);
    await eventually("all arrived", () => arrived.size === 43);
    const siteOfLead = (one: Lead) => arrived.get(one.leadId)!.facts.site!;
    assert.equal(siteOfLead(read).title, "Café Müller");
    assert.deepEqual([siteOfLead(down).status, siteOfLead(down).reason], ["unreachable", "reset"]);
    assert.deepEqual(siteOfLead(none), { status: "not_fetched", reason: "no_website" });
    const filled = many.filter((one) => arrived.get(one.leadId)!.fields.email !== undefined);
    assert.ok(filled.length > 10);
    for (const one of filled) assert.ok(arrived.get(one.leadId)!.fields.email!.endsWith(`@${one.fields.domain}`));
  });

  it("waits while the site service is away, and burns no try", async () => {
    await using sites = await startSites();
    const { arrived, service } = end();
    await using mesh = await startMesh({
      flow,
      services: [enrich, service],
      env: generator(sites.url, { LEADS_PROBE_MIN_MS: "50", LEADS_PROBE_MAX_MS: "200" }),
    });
    const one = lead({ website: "http://modern-joe.example/" });
    await acceptLive(mesh, [one]);
    await eventually(
      "the stage says that it waits",
      async () => (await mesh.broker.call<{ state: string }>("enrich.state")).state === "outage",
    );
    assert.equal(arrived.size, 0);
    mesh.broker.createService(siteService());
    await eventually("it arrived", () => arrived.size === 1);
    const entry = arrived.get(one.leadId)!.timeline.find((t) => t.stage === "enrich")!;
    assert.equal(entry.attempt ?? 1, 1);
  });

  it("takes many sites that fail alike for an outage of ours, and goes on when it is over", async () => {
    let answers = false;
    const outside = {
      resolve: async (name: string): Promise<string[]> => {
        throw new LookupError(answers ? "ENOTFOUND" : "EAI_AGAIN", name);
      },
      control: async () => assert.ok(answers),
      settleMs: 100,
    };
    const { arrived, service } = end();
    const env = {
      LEADS_FETCH: "web",
      LEADS_FETCH_CONTACT: "https://mesh.test/bot",
      LEADS_PROBE_MIN_MS: "50",
      LEADS_PROBE_MAX_MS: "200",
    };
    await using mesh = await startMesh({ flow, services: [siteService(outside), enrich, service], env });
    const leads = Array.from({ length: 12 }, (_, n) => lead({ website: `http://shop-${n}.com/` }));
    await acceptLive(mesh, leads);
    const state = () => mesh.broker.call<{ state: string; outage: { dependency: string } | null }>("enrich.state");
    await eventually("the stage waits for the web", async () => (await state()).outage?.dependency === "web");
    assert.equal(arrived.size, 0);
    answers = true;
    await eventually("all arrived", () => arrived.size === leads.length);
    for (const one of arrived.values()) {
      assert.deepEqual([one.facts.site!.status, one.facts.site!.reason], ["unreachable", "dns"]);
      assert.equal(one.timeline.find((t) => t.stage === "enrich")!.attempt ?? 1, 1);
    }
  });

  it("takes a site whose name service is silent while ours answers for that site's own fault", async () => {
    const outside = {
      resolve: async (name: string): Promise<string[]> => {
        throw new LookupError("ESERVFAIL", name);
      },
      control: async () => {},
      settleMs: 50,
    };
    await using mesh = await startMesh({
      services: [siteService(outside)],
      env: { LEADS_FETCH: "web", LEADS_FETCH_CONTACT: "https://mesh.test/bot" },
    });
    assert.equal((await facts(mesh, "http://broken-dns.com/")).reason, "dns");
  });
});

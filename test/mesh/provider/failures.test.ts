import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import type { Failure, HttpStub } from "../../support/providers/http-stub.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { placesKey, placesStub } from "../../support/providers/places.ts";
import { screenshotKey, screenshotStub } from "../../support/providers/screenshot.ts";
import { semrushKey, semrushStub } from "../../support/providers/semrush.ts";
import { yelpKey, yelpStub } from "../../support/providers/yelp.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";
import { stage } from "../../support/stages.ts";

interface Provider {
  service: string;
  stub(): Promise<HttpStub>;
  key: string;
  /** Its URL, key and price. */
  env(url: string, key: string): Record<string, string>;
  /** About a site of this host. */
  call(host: string): [action: string, params: object];
  /** What the first request of a call costs, and a whole one, micro-USD. */
  costMicro: number;
  wholeMicro?: number;
}

/** Providers with one API each; language models, where one stands in for another, have a table of their own (llm.test.ts). */
const providers: Record<string, Provider> = {
  pagespeed: {
    service: "services/pagespeed/pagespeed.service.ts",
    stub: pagespeedStub,
    key: pagespeedKey,
    env: (url, key) => ({ LEADS_PAGESPEED_URL: url, LEADS_PAGESPEED_KEY: key, LEADS_PAGESPEED_PRICE: "1000" }),
    call: (host) => ["pagespeed.facts", { url: `https://${host}/` }],
    costMicro: 1_000,
  },
  yelp: {
    service: "services/yelp/yelp.service.ts",
    stub: yelpStub,
    key: yelpKey,
    env: (url, key) => ({ LEADS_YELP_URL: url, LEADS_YELP_KEY: key, LEADS_YELP_PRICE: "8000" }),
    call: () => ["listing-yelp.page", { listing: "search", zip: "60601", vertical: "bakery", cursor: null }],
    costMicro: 8_000,
  },
  places: {
    service: "services/places/places.service.ts",
    stub: placesStub,
    key: placesKey,
    env: (url, key) => ({ LEADS_PLACES_URL: url, LEADS_PLACES_KEY: key }),
    call: () => [
      "listing-places.page",
      { listing: "search", zip: "60601", vertical: "bakery", region: "US", cursor: null },
    ],
    costMicro: 35_000,
  },
  semrush: {
    service: "services/semrush/semrush.service.ts",
    stub: semrushStub,
    key: semrushKey,
    env: (url, key) => ({ LEADS_SEMRUSH_URL: url, LEADS_SEMRUSH_KEY: key }),
    call: (host) => ["semrush.facts", { domain: host, country: "US" }],
    costMicro: 500,
    wholeMicro: 2_500,
  },
  screenshot: {
    service: "services/screenshot/screenshot.service.ts",
    stub: screenshotStub,
    key: screenshotKey,
    env: (url, key) => ({ LEADS_SCREENSHOT_URL: url, LEADS_SCREENSHOT_KEY: key, LEADS_SCREENSHOT_PRICE: "9000" }),
    call: (host) => ["screenshot.take", { leadId: randomUUID(), url: `https://${host}/` }],
    costMicro: 9_000,
  },
};

const flow = [{ name: "end" }];
/** A tenant a test, and a host: what it has spent is this test's, and nothing is in a cache. */
let tenant = "";
const ask = (mesh: TestMesh, { call }: Provider) => {
  const [action, params] = call(`${tenant}.example`);
  return mesh.broker.call<object, object>(action, { tenant, effect: randomUUID(), ...params });
};
type Refused = { type: string; message: string; data: { until?: number; dependency?: string } };
const refusal = (what: Promise<unknown>) =>
  what.then(
    () => assert.fail("it answered"),
    (error: unknown) => error as Refused,
  );
const spentOn = async (mesh: TestMesh, name: string) => {
  const { providers: all } = await mesh.broker.call<any, object>("budget.status", { tenant });
  return [all[name]?.spentMicro ?? 0, all[name]?.reservedMicro ?? 0];
};

let place: TestPlace;
/** A node with every provider, each before a stub of its own; with circuits and gates as new. */
async function withAll(
  use: (mesh: TestMesh, stubs: Record<string, HttpStub>) => Promise<unknown>,
  keyOf: (provider: Provider) => string = ({ key }) => key,
  timeoutMs = 10_000,
) {
  const stubs = Object.fromEntries(
    await Promise.all(Object.entries(providers).map(async ([name, { stub }]) => [name, await stub()] as const)),
  );
  const env = Object.assign(
    { LEADS_PROVIDER_TIMEOUT_MS: String(timeoutMs) },
    ...Object.entries(providers).map(([name, one]) => one.env(stubs[name]!.url, keyOf(one))),
  );
  const services = ["services/budget/budget.service.ts", ...Object.values(providers).map(({ service }) => service)];
  try {
    await using mesh = await startMesh({ place, flow, services: [stage("end"), ...services], env });
    await use(mesh, stubs);
    const gates = await mesh.nats.jetstream().views.kv(mesh.names.bucket.providers, { bindOnly: true });
    await Promise.all(Object.keys(providers).map((name) => gates.delete(`retry.${name}`)));
  } finally {
    await Promise.all(Object.values(stubs).map((stub) => stub[Symbol.asyncDispose]()));
  }
}
const each = (work: (name: string, provider: Provider) => Promise<void>) =>
  Promise.all(Object.entries(providers).map(([name, provider]) => work(name, provider)));

describe("whichever provider fails", () => {
  before(async function () {
    this.timeout(60_000);
    place = await testPlace();
  });
  beforeEach(() => {
    tenant = `t${randomUUID().slice(0, 8)}`;
  });
  after(() => place?.[Symbol.asyncDispose]());

  for (const [failure, type, isSpent, waitMs] of [
    ["401", "OUTAGE", false],
    ["402", "PROVIDER_LATER", false, 3_600_000],
    ["429", "PROVIDER_LATER", false, 5_000],
    ["429 with Retry-After", "PROVIDER_LATER", false, 120_000],
    ["500", "OUTAGE", false],
    // These may have been counted by the provider: booked as spent.
    ["slow", "OUTAGE", true],
    ["cut", "OUTAGE", true],
    ["another shape", "OUTAGE", true],
    ["not JSON", "OUTAGE", true],
  ] as readonly [Failure, string, boolean, number?][])
    it(`"${failure}" is ${type}, is ${isSpent ? "" : "not "}booked, and is over when it is over`, () => {
      // Long enough for a busy machine, where it is not waited for.
      const timeoutMs = failure === "slow" ? 1_000 : 10_000;
      return withAll(
        async (mesh, stubs) => {
          await each(async (name, provider) => {
            const stub = stubs[name]!;
            stub.failure = failure;
            const error = await refusal(ask(mesh, provider));
            assert.equal(error.type, type, `${name}: ${error.message}`);
            assert.ok(
              !JSON.stringify([error.message, error.data]).includes(provider.key),
              `${name}: the key is in no error`,
            );
            const spent = isSpent ? provider.costMicro : 0;
            assert.deepEqual(await spentOn(mesh, name), [spent, 0], name);
            stub.failure = "none";
            if (type === "PROVIDER_LATER") {
              const asked = stub.requests.length;
              assert.equal((await refusal(ask(mesh, provider))).type, type, name);
              assert.equal(stub.requests.length, asked, `${name}: nobody calls before its time`);
              const leftMs = error.data.until! - Date.now();
              assert.ok(leftMs > waitMs! - 5_000 && leftMs <= waitMs!, `${name}: ${leftMs} ms`);
            } else {
              assert.equal(error.data.dependency, name);
              await ask(mesh, provider);
              assert.deepEqual(
                await spentOn(mesh, name),
                [spent + (provider.wholeMicro ?? provider.costMicro), 0],
                name,
              );
            }
          });
        },
        undefined,
        timeoutMs,
      );
    });

  it("answers that cannot be read close it for all instances after three in a row, and are paid no more", () =>
    withAll(async (mesh, stubs) => {
      await each(async (name, provider) => {
        const stub = stubs[name]!;
        stub.failure = "another shape";
        for (let n = 0; n < 3; n++) assert.equal((await refusal(ask(mesh, provider))).type, "OUTAGE", name);
        const { type, data } = await refusal(ask(mesh, provider));
        assert.equal(type, "PROVIDER_LATER", name);
        assert.ok(data.until! > Date.now(), name);
        assert.equal(stub.requests.length, 3, name);
        assert.deepEqual(await spentOn(mesh, name), [3 * provider.costMicro, 0], name);
      });
      await using other = await startMesh({
        place,
        flow,
        services: [stage("end"), "services/budget/budget.service.ts", providers["yelp"]!.service],
        env: providers["yelp"]!.env(stubs["yelp"]!.url, providers["yelp"]!.key),
      });
      assert.equal((await refusal(ask(other, providers["yelp"]!))).type, "PROVIDER_LATER");
      assert.equal(stubs["yelp"]!.requests.length, 3);
    }));

  it("a key that is not the right one is an outage, not the lead's fault", () =>
    withAll(
      (mesh) =>
        each(async (name, provider) => {
          const error = await refusal(ask(mesh, provider));
          assert.deepEqual([error.type, error.data.dependency], ["OUTAGE", name], error.message);
          assert.match(error.message, /refuses the key/);
          assert.ok(!error.message.includes("the-key-of-nobody"));
        }),
      () => "the-key-of-nobody",
    ));

  it("one without a key is off, says so, and calls nobody", () =>
    withAll(
      (mesh, stubs) =>
        each(async (name, provider) => {
          assert.equal((await refusal(ask(mesh, provider))).type, "PROVIDER_OFF", name);
          assert.equal(stubs[name]!.requests.length, 0);
        }),
      () => "",
    ));
});

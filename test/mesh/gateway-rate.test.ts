import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { postLead, startGateway } from "../support/gateway.ts";
import { ownRedis, testPlace } from "../support/servers.ts";

const statuses = (answers: { status: number }[], status: number) => answers.filter((a) => a.status === status).length;

describe("rate limits", () => {
  it("are shared by all gateways, and 429 says when to come again", async function () {
    await using redis = await ownRedis();
    if (!redis) return this.skip();
    await using place = await testPlace({ LEADS_RATE_LIMIT: "5", LEADS_REDIS_URL: redis.url });
    await using one = await startGateway({ place });
    await using two = await startGateway({ place });
    const { secret } = await one.key("acme", "ingest");
    await two.knows(secret);
    for (const { resources } of [one, two])
      await eventually("Redis is connected", () => resources.redis()?.status === "ready");
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => postLead(n % 2 === 0 ? one : two, secret, { name: "" })),
    );
    // Five at once, and one more each 200 ms that the forty took.
    const let_in = statuses(answers, 422);
    assert.ok(let_in >= 5 && let_in <= 8, `${let_in} were let in`);
    assert.equal(let_in + statuses(answers, 429), 40);
    const refused = answers.find(({ status }) => status === 429)!;
    assert.equal(refused.body.type, "urn:leadfactory:error:rate-limited");
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.equal(refused.headers.get("ratelimit-limit"), "5");
    assert.equal(refused.headers.get("ratelimit-remaining"), "0");
    assert.equal(refused.headers.get("ratelimit-reset"), "1");
    await eventually(
      "the caller is let in again",
      async () => (await postLead(two, secret, { name: "" })).status === 422,
      {
        everyMs: 50,
      },
    );
  });

  it("are each key's own", async () => {
    await using gateway = await startGateway({ env: { LEADS_RATE_LIMIT: "1" } });
    const a = await gateway.key("acme", "ingest");
    const b = await gateway.key("acme", "ingest");
    assert.equal((await postLead(gateway, a.secret, { name: "" })).status, 422);
    assert.equal((await postLead(gateway, a.secret, { name: "" })).status, 429);
    assert.equal((await postLead(gateway, b.secret, { name: "" })).status, 422);
  });

  it("are kept by each gateway for itself while Redis is frozen, and no request waits for it", async function () {
    await using redis = await ownRedis();
    if (!redis) return this.skip();
    await using gateway = await startGateway({ env: { LEADS_RATE_LIMIT: "20", LEADS_REDIS_URL: redis.url } });
    const { secret } = await gateway.key("acme", "ingest");
    await eventually("Redis decides", () => (gateway as any).broker.getLocalService("gateway").limiter.shared);
    assert.equal((await postLead(gateway, secret, { name: "Warm-up", city: "Chicago" })).status, 202);
    const { pid } = redis;
    process.kill(pid!, "SIGSTOP");
    try {
      const took: number[] = [];
      let refused = 0;
      for (let n = 0; n < 40; n++) {
        const began = performance.now();
        const { status } = await postLead(gateway, secret, { name: `Bakery ${n}`, city: "Chicago" });
        took.push(performance.now() - began);
        assert.ok(status === 202 || status === 429, String(status));
        if (status === 429) refused++;
      }
      assert.ok(Math.max(...took) < 300, `the slowest took ${Math.max(...took)} ms`);
      assert.ok(refused > 0, "nobody limits while Redis is frozen");
    } finally {
      process.kill(pid!, "SIGCONT");
    }
    await eventually("Redis decides again", () => (gateway as any).broker.getLocalService("gateway").limiter.shared);
  });

  it("are kept by each gateway for itself where Redis was killed, and by Redis when it is back", async function () {
    await using redis = await ownRedis();
    if (!redis) return this.skip();
    await using gateway = await startGateway({ env: { LEADS_RATE_LIMIT: "10", LEADS_REDIS_URL: redis.url } });
    const { secret } = await gateway.key("acme", "ingest");
    await redis.kill();
    const answers = await Promise.all(Array.from({ length: 40 }, () => postLead(gateway, secret, { name: "" })));
    assert.ok(
      statuses(answers, 422) >= 10 && statuses(answers, 429) >= 20,
      answers.map(({ status }) => status).join(" "),
    );
    await redis.start();
    await eventually("Redis decides again", () => (gateway as any).broker.getLocalService("gateway").limiter.shared);
  });

  it("let a key in again at once when Redis's clock is set back", async function () {
    await using redis = await ownRedis();
    if (!redis) return this.skip();
    await using gateway = await startGateway({ env: { LEADS_RATE_LIMIT: "5", LEADS_REDIS_URL: redis.url } });
    const { secret } = await gateway.key("acme", "ingest");
    const client = await eventually("Redis is connected", () => gateway.resources.redis());
    await eventually("Redis answers", () => client.status === "ready");
    const ask = async () => (await postLead(gateway, secret, { name: "" })).status;
    const key = await eventually("Redis decides", async () => {
      await ask();
      return (await client.keys("*rate-key*"))[0];
    });
    // What the clock said before it was set back by an hour.
    const hourUs = 3_600e6;
    await client.set(key, Number(await client.get(key)) + hourUs);
    assert.equal(await ask(), 422);
  });

  it("hold back an address that tries keys, and only that one", async () => {
    await using gateway = await startGateway({ env: { LEADS_TRUSTED_PROXIES: "127.0.0.0/8" } });
    const attempt = async (address: string) =>
      (await gateway.call(`lf_${"x".repeat(43)}`, "/v1/leads", { headers: { "x-forwarded-for": address } })).status;
    const answers: number[] = [];
    for (let n = 0; n < 60; n++) answers.push(await attempt("203.0.113.9"));
    assert.equal(answers[0], 401);
    assert.ok(answers.includes(429), "sixty wrong keys in a moment, and none was held back");
    assert.equal(await attempt("203.0.113.10"), 401);
    // A key that is valid is let in from there all the same: others may share the address.
    const { secret } = await gateway.key("acme", "ingest");
    assert.equal((await postLead(gateway, secret, { name: "" }, { "x-forwarded-for": "203.0.113.9" })).status, 422);
  });

  it("believe a forwarded address of no proxy that is not configured", async () => {
    await using gateway = await startGateway();
    const answers: number[] = [];
    for (let n = 0; n < 60; n++)
      answers.push(
        (await fetch(`${gateway.url}/v1/leads`, { headers: { "x-forwarded-for": `203.0.113.${n}` } })).status,
      );
    assert.ok(answers.includes(429), "an address that is made up got around the limit");
  });
});

import assert from "node:assert/strict";
import type { Context, ServiceSchema } from "moleculer";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { ownRedis } from "../support/servers.ts";

/** The rule is 200 ms; a machine that does much else at the same time adds its own. A cache that hangs takes 10 s. */
const missMs = 500;

/** A service whose answer says how often it was asked for in truth. */
function countingService(): ServiceSchema {
  return {
    name: "counting",
    created() {
      this.asked = 0;
    },
    actions: {
      ask: {
        cache: { keys: ["word"], ttl: 30 },
        handler(ctx: Context<{ word: string }>) {
          this.asked++;
          return { word: ctx.params.word, asked: this.asked };
        },
      },
    },
  };
}

async function timed<T>(call: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  const began = performance.now();
  const answer = await call();
  return { answer, ms: performance.now() - began };
}

describe("the cache of calls", () => {
  it("answers from Redis, and makes a miss of it when Redis is frozen or killed, and is back by itself", async function () {
    const redis = await ownRedis();
    if (!redis) return this.skip();
    await using _ended = redis;
    await using mesh = await startMesh({ services: [countingService()], env: { LEADS_REDIS_URL: redis.url } });
    const ask = (word: string) =>
      timed(() => mesh.broker.call<{ asked: number }, { word: string }>("counting.ask", { word }));

    const isCached = async (word: string) => {
      const [one, two] = [(await ask(word)).answer, (await ask(word)).answer];
      return one.asked === two.asked;
    };

    const first = (await ask("a")).answer.asked;
    await eventually("the answer is cached", () => isCached("a"));
    const cached = (await ask("a")).answer.asked;
    assert.ok(cached >= first);

    redis.freeze();
    for (let n = 0; n < 5; n++) {
      const { answer, ms } = await ask("a");
      assert.equal(answer.asked, cached + n + 1, "a frozen cache is a miss");
      assert.ok(ms < missMs, `a miss took ${Math.round(ms)} ms`);
    }
    redis.thaw();
    await eventually("the cache answers again", () => isCached("b"));

    await redis.kill();
    const { ms } = await ask("b");
    assert.ok(ms < missMs, `a miss took ${Math.round(ms)} ms`);
    await redis.start();
    await eventually("the cache answers again", () => isCached("c"));
  });

  it("is found at an IPv6 address", async function () {
    const redis = await ownRedis();
    if (!redis) return this.skip();
    await using _ended = redis;
    // The same server's IPv4 address, as IPv6 writes it.
    const url = `redis://[::ffff:127.0.0.1]:${redis.port}`;
    await using mesh = await startMesh({ services: [countingService()], env: { LEADS_REDIS_URL: url } });
    const ask = () => mesh.broker.call<{ asked: number }, { word: string }>("counting.ask", { word: "a" });
    await eventually("the answer is cached", async () => {
      const [one, two] = [await ask(), await ask()];
      return one.asked === two.asked;
    });
  });

  it("is each process's own where there is no Redis", async () => {
    await using mesh = await startMesh({ services: [countingService()], env: { LEADS_REDIS_URL: "" } });
    const ask = () => mesh.broker.call<{ asked: number }, { word: string }>("counting.ask", { word: "a" });
    assert.deepEqual([(await ask()).asked, (await ask()).asked], [1, 1]);
  });
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { revokeKey } from "../../../mixins/keys.ts";
import { eventually } from "../../support/eventually.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { ownNats, ownRedis, testPlace } from "../../support/servers.ts";

const custom = { "x-leads-console": "1" };

/** Gives a key; answers the cookie as a browser would send it back. */
async function signedIn({ url }: TestGateway, key: string): Promise<string> {
  const answer = await fetch(`${url}/console/session`, {
    method: "POST",
    headers: { "content-type": "application/json", ...custom },
    body: JSON.stringify({ key }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.headers.getSetCookie()[0]!.split(";")[0]!;
}
const ask = ({ url }: TestGateway, path: string, headers: Record<string, string>, init: RequestInit = {}) =>
  fetch(url + path, { ...init, headers });

describe("a session of the console", () => {
  it("holds at every gateway, with Redis and NATS away too, until its key is revoked", async function () {
    await using nats = await ownNats();
    await using redis = await ownRedis();
    if (!redis) return this.skip();
    await using place = await testPlace({ LEADS_REDIS_URL: redis.url });
    const env = { LEADS_NATS_URL: nats.url };
    await using one = await startGateway({ place, env });
    await using two = await startGateway({ place, env });
    const { id, secret } = await one.key("acme", "read");
    await two.knows(secret);
    const cookie = await signedIn(one, secret);
    const status = async (gateway: TestGateway) => (await ask(gateway, "/v1/imports", { cookie })).status;
    const both = async () => [await status(one), await status(two)];
    assert.deepEqual(await both(), [200, 200]);
    await redis.kill();
    assert.deepEqual(await both(), [200, 200], "without Redis");
    await nats.kill();
    assert.deepEqual(await both(), [200, 200], "without NATS");
    assert.equal((await ask(two, "/console/session", { cookie })).status, 200, "it is renewed without them too");
    await nats.start();
    await eventually("NATS is back", () => revokeKey(one.nats, one.names, id).catch(() => undefined));
    await eventually("both refuse it", async () => String(await both()) === "401,401");
    assert.equal((await ask(two, "/console/session", { cookie })).status, 401);
  });

  describe("of one gateway", () => {
    let gateway: TestGateway;
    let cookie: string;
    let key: { id: string; secret: string };
    before(async () => {
      gateway = await startGateway();
      key = await gateway.key("acme", "read", "operate");
      cookie = await signedIn(gateway, key.secret);
    });
    after(() => gateway?.[Symbol.asyncDispose]());

    it("says whose it is, and is renewed by asking; signing out takes the cookie away", async () => {
      const answer = await ask(gateway, "/console/session", { cookie });
      const { tenant, scopes, keyId, until, now } = (await answer.json()) as any;
      assert.deepEqual({ tenant, scopes, keyId }, { tenant: "acme", scopes: ["read", "operate"], keyId: key.id });
      assert.equal(until - now, 15 * 60_000);
      assert.match(answer.headers.getSetCookie()[0]!, /; HttpOnly; SameSite=Strict$/);
      const tls = await ask(gateway, "/console/session", { cookie, "x-forwarded-proto": "https" });
      assert.match(tls.headers.getSetCookie()[0]!, /; Secure$/);
      const out = await ask(gateway, "/console/session", { cookie, ...custom }, { method: "DELETE" });
      assert.match(out.headers.getSetCookie()[0]!, /^leads_session=; .*Max-Age=0/);
    });

    it("may what its key may, and no more", async () => {
      assert.equal((await ask(gateway, "/v1/imports", { cookie })).status, 200);
      assert.equal((await ask(gateway, "/v1/stages", { cookie })).status, 403);
      assert.equal((await ask(gateway, "/v1/imports", { cookie: `${cookie}x` })).status, 401);
    });

    it("changes nothing for a page of another origin", async () => {
      const discard = (headers: Record<string, string>) =>
        ask(
          gateway,
          "/v1/dead-letters/discard",
          { cookie, "content-type": "application/json", ...headers },
          { method: "POST", body: "{}" },
        );
      for (const headers of [
        {},
        { origin: gateway.url },
        { ...custom, origin: "https://evil.example" },
        { ...custom, "sec-fetch-site": "cross-site" },
        { ...custom, "sec-fetch-site": "same-site" },
      ] as Record<string, string>[])
        assert.equal((await discard(headers)).status, 403, JSON.stringify(headers));
      // The service behind is not there: it was let through.
      assert.equal((await discard({ ...custom, origin: gateway.url })).status, 503);
      const read = await ask(gateway, "/v1/imports", { cookie, "sec-fetch-site": "cross-site" });
      assert.equal(read.status, 403);
      const foreign = await ask(
        gateway,
        "/console/session",
        { "content-type": "application/json", ...custom, origin: "https://evil.example" },
        { method: "POST", body: JSON.stringify({ key: key.secret }) },
      );
      assert.equal(foreign.status, 403, "nor signs a browser in");
      assert.deepEqual(foreign.headers.getSetCookie(), []);
    });

    it("ends an open stream of events when its key is revoked", async () => {
      const { id, secret } = await gateway.key("acme", "read");
      const answer = await ask(gateway, "/v1/events", { cookie: await signedIn(gateway, secret) });
      assert.equal(answer.headers.get("content-type"), "text/event-stream");
      await revokeKey(gateway.nats, gateway.names, id);
      await answer.text();
    });
  });
});

describe("the console's files", () => {
  let gateway: TestGateway;
  before(async () => {
    gateway = await startGateway();
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  it("come with a policy under which nothing else runs, is styled or is fetched", async () => {
    const answer = await fetch(`${gateway.url}/console`);
    const page = await answer.text();
    const policy = Object.fromEntries(
      answer.headers
        .get("content-security-policy")!
        .split("; ")
        .map((part) => [part.split(" ")[0]!, part]),
    );
    const [, inline] = /<script type="importmap">(.*?)<\/script>/s.exec(page)!;
    const hash = createHash("sha256").update(inline!).digest("base64");
    assert.equal(policy["script-src"], `script-src 'self' 'sha256-${hash}'`);
    assert.equal(policy["default-src"], "default-src 'none'");
    assert.equal(policy["style-src"], "style-src 'self'");
    assert.doesNotMatch(JSON.stringify(policy), /unsafe|https?:|\*/);
    assert.doesNotMatch(page, /\sstyle=|\son\w+=|<style|https?:\/\/(?!www\.w3\.org)/i);
    assert.equal(answer.headers.get("x-frame-options"), "DENY");
  });

  it("are all that the page imports, and all that lies in its folder", async () => {
    const found = new Set<string>();
    const follow = async (path: string): Promise<void> => {
      if (found.has(path)) return;
      found.add(path);
      const answer = await fetch(gateway.url + path);
      assert.equal(answer.status, 200, path);
      assert.match(answer.headers.get("content-type")!, path.endsWith(".css") ? /^text\/css/ : /^text\/javascript/);
      const text = await answer.text();
      if (path.endsWith(".js"))
        for (const [, name] of text.matchAll(/from "\.\/([\w-]+\.js)"/g)) await follow(`/console/js/${name}`);
    };
    const page = await (await fetch(`${gateway.url}/console`)).text();
    for (const [, path] of page.matchAll(/"(\/console\/(?:js|css)\/[\w-]+\.\w+)"/g)) await follow(path!);
    const ours = readdirSync(join(import.meta.dirname, "../../../services/gateway/console"));
    const missed = ours.filter(
      (name) => /\.(js|css)$/.test(name) && ![...found].some((path) => path.endsWith(`/${name}`)),
    );
    assert.deepEqual(missed, []);
  });

  it("are the only ones that are served, and come once until they change", async () => {
    for (const path of [
      "js/none.js",
      "js/..%2fgateway.service.ts",
      "js/%2e%2e%2f..%2fkeys.ts",
      "css/app.js",
      "js/tsconfig.json",
    ])
      assert.equal((await fetch(`${gateway.url}/console/${path}`)).status, 404, path);
    const first = await fetch(`${gateway.url}/console/js/app.js`);
    const again = await fetch(`${gateway.url}/console/js/app.js`, {
      headers: { "if-none-match": first.headers.get("etag")! },
    });
    assert.equal(again.status, 304);
  });
});

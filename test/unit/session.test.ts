import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import {
  askerOf,
  checkOrigin,
  cookieName,
  cookieOf,
  longestMs,
  readSession,
  sessionMs,
  setCookie,
  writeSession,
} from "../../mixins/http/session.ts";
import type { ApiKey } from "../../mixins/keys.ts";

const key: ApiKey = { id: "0123456789ab", tenant: "acme", scopes: ["read"], createdAt: 1 };
const keysWith = (hash: string | undefined) => ({
  find: () => undefined,
  byId: (id: string) => (hash !== undefined && id === key.id ? key : undefined),
  sign: (id: string, text: string) =>
    hash !== undefined && id === key.id ? createHmac("sha256", hash).update(text).digest() : undefined,
});
const keys = keysWith("the hash of the key");
const now = 1_760_000_000_000;
const written = (since = now, at = now) => writeSession(keys, key.id, since, at)!;

describe("a session", () => {
  it("is read back until it ends, a quarter of an hour after it was written", () => {
    const value = written();
    assert.deepEqual(readSession(keys, value, now), { key, since: now, until: now + sessionMs });
    assert.ok(readSession(keys, value, now + sessionMs - 1));
    assert.equal(readSession(keys, value, now + sessionMs), undefined);
  });

  it("ends twelve hours after the key was given, however often it was renewed", () => {
    const late = now + longestMs - 60_000;
    assert.equal(readSession(keys, written(now, late), late)!.until, now + longestMs);
    assert.equal(writeSession(keys, key.id, now, now + longestMs), undefined);
  });

  it("opens nothing once it was altered in any place, or the key is gone or another", () => {
    const value = written();
    for (let at = 0; at < value.length; at++) {
      const other = value[at] === "1" ? "2" : "1";
      const altered = value.slice(0, at) + other + value.slice(at + 1);
      // The last of 43 characters holds four bits of the signature and two that nobody reads.
      const same = Buffer.from(altered.split(".")[3] ?? "", "base64url").equals(
        Buffer.from(value.split(".")[3]!, "base64url"),
      );
      if (at < value.length - 1 || !same) assert.equal(readSession(keys, altered, now), undefined, altered);
    }
    assert.equal(readSession(keysWith(undefined), value, now), undefined);
    assert.equal(readSession(keysWith("another hash"), value, now), undefined);
    for (const none of ["", "...", "a.b.c.d", `${key.id}.1.2.`, value.repeat(2)])
      assert.equal(readSession(keys, none, now), undefined, none);
  });

  it("is no longer than ours, though whoever has the key's hash signed it", () => {
    const until = now + sessionMs + 60_000;
    const mac = keys.sign(key.id, `session 1 ${key.id} ${now} ${until}`)!;
    assert.equal(readSession(keys, `${key.id}.${now}.${until}.${mac.toString("base64url")}`, now), undefined);
  });

  it("is a cookie that no script reads and no other site sends", () => {
    assert.equal(setCookie("x", true), `${cookieName}=x; Path=/; Max-Age=900; HttpOnly; SameSite=Strict; Secure`);
    assert.match(setCookie("", false), /Max-Age=0; HttpOnly; SameSite=Strict$/);
    assert.equal(cookieOf(`a=1; ${cookieName}=x.y=z; b=2`), "x.y=z");
    assert.equal(cookieOf(undefined), undefined);
  });
});

describe("a request with a session", () => {
  const host = "mesh.example";
  const custom = { "x-leads-console": "1" };
  const refused = (method: string, headers: object) =>
    assert.throws(() => checkOrigin(method, { host, ...headers }), { type: "FORBIDDEN" }, JSON.stringify(headers));
  const taken = (method: string, headers: object) => checkOrigin(method, { host, ...headers });

  it("is taken from this origin alone", () => {
    taken("GET", { "sec-fetch-site": "same-origin" });
    taken("GET", { "sec-fetch-site": "none" });
    taken("GET", {});
    taken("GET", { origin: `https://${host}` });
    for (const site of ["cross-site", "same-site", "whatever"]) refused("GET", { "sec-fetch-site": site });
    for (const origin of ["https://evil.example", "null", `https://${host}:8443`]) refused("GET", { origin });
  });

  it("changes something with the header that no form can send, and only with it", () => {
    taken("POST", { "sec-fetch-site": "same-origin", ...custom });
    taken("DELETE", { origin: `http://${host}`, ...custom });
    refused("POST", { "sec-fetch-site": "same-origin" });
    refused("POST", {});
    refused("PUT", { "sec-fetch-site": "none", ...custom });
    refused("POST", { "sec-fetch-site": "cross-site", ...custom });
  });

  it("is nobody's by a cookie of a stranger, and by a wrong key although a session came with it", () => {
    const cookie = `${cookieName}=${writeSession(keys, key.id, Date.now(), Date.now())}`;
    assert.equal(askerOf(keys, { method: "GET", headers: { cookie } })?.key, key);
    assert.equal(askerOf(keys, { method: "GET", headers: { cookie: `${cookie}x` } }), undefined);
    assert.equal(askerOf(keys, { method: "GET", headers: { cookie, authorization: "Bearer lf_wrong" } }), undefined);
  });
});

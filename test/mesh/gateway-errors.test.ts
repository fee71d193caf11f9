import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { ServiceSchema } from "moleculer";
import { Errors } from "moleculer";
import { startGateway, type TestGateway } from "../support/gateway.ts";

/** A record that fails in the ways that one can. */
const broken: ServiceSchema = {
  name: "leads",
  actions: {
    list() {
      throw Object.assign(new Error('column "secret" of /var/lib/x does not exist'), {
        detail: "info@corner-bakery.example",
      });
    },
    get() {
      throw new Errors.RequestTimeoutError({ action: "leads.get", nodeID: "node-7" });
    },
  },
};

describe("errors of the edge", () => {
  let gateway: TestGateway;
  let secret: string;
  before(async () => {
    gateway = await startGateway({ services: [broken], env: { LEADS_BODY_LIMIT_BYTES: "2048" } });
    ({ secret } = await gateway.key("acme", "ingest", "read"));
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  const post = (
    body: RequestInit["body"],
    headers: Record<string, string> = { "content-type": "application/json" },
    more = {},
  ) => gateway.call(secret, "/v1/leads", { method: "POST", headers, body, ...more });

  async function isProblem(answer: Response, status: number, code: string): Promise<any> {
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    const problem: any = await answer.json();
    assert.equal(problem.type, `urn:leadfactory:error:${code}`);
    assert.equal(problem.status, status);
    assert.equal(problem.instance, answer.headers.get("x-request-id"));
    assert.ok(problem.title.length > 0 && problem.detail.length > 0);
    assert.equal(problem.stack, undefined);
    return problem;
  }

  it("answers what is no JSON object with 400", async () => {
    for (const body of [
      "",
      "{",
      "[]",
      "null",
      '"x"',
      "1",
      "{'a':1}",
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    ])
      await isProblem(await post(body), 400, "malformed");
  });
  it("answers a body of another type, charset or coding with 415", async () => {
    for (const headers of [
      { "content-type": "text/plain" },
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/json; charset=utf-16" },
      { "content-type": "application/json", "content-encoding": "gzip" },
    ] as Record<string, string>[])
      await isProblem(await post("{}", headers), 415, "unsupported-media-type");
    assert.equal((await post("{}", { "content-type": 'Application/JSON; charset="UTF-8"' })).status, 422);
  });
  it("answers a body that is too large with 413, told beforehand or found out", async () => {
    const large = JSON.stringify({ name: "x".repeat(3_000) });
    await isProblem(await post(large), 413, "too-large");
    const stream = new Blob([large]).stream();
    await isProblem(await post(stream, undefined, { duplex: "half" }), 413, "too-large");
    // The connection, and the next request on it, are none the worse for it.
    assert.equal((await post("{}")).status, 422);
  });
  it("answers a path that nobody has with 404, and one that cannot be decoded with 400", async () => {
    for (const path of [
      "/",
      "/v1",
      "/v1/lead",
      "/V1/leads",
      "/v1//leads",
      "/v1/leads/x/y",
      "/~node/list",
      "/list-aliases",
      "/api/leads.list",
    ])
      await isProblem(await gateway.call(secret, path), 404, "not-found");
    await isProblem(await gateway.call(secret, "/v1/leads/%E0%A4%A"), 400, "malformed");
    assert.equal((await gateway.call(secret, "/healthz/")).status, 200);
  });
  it("keeps to itself what went wrong inside", async () => {
    const problem = await isProblem(await gateway.call(secret, "/v1/leads"), 500, "internal");
    assert.doesNotMatch(JSON.stringify(problem), /secret|column|var|bakery|\.ts/);
  });
  it("answers what is out of reach with 503 and Retry-After, not with Moleculer's 404 or 504", async () => {
    const timedOut = await gateway.call(secret, "/v1/leads/0193b9a0-0000-7000-8000-000000000000");
    await isProblem(timedOut, 503, "outage");
    assert.ok(Number(timedOut.headers.get("retry-after")) >= 1);
    const nobody = await gateway.call(secret, "/v1/outbox");
    assert.equal((await isProblem(nobody, 503, "outage")).dependency, "email");
  });
  it("has security headers on every answer, good or bad", async () => {
    for (const path of ["/healthz", "/openapi.json", "/nope", "/v1/leads", "/v1/leads/bulk"]) {
      const { headers } = await gateway.call(secret, path);
      assert.equal(headers.get("x-content-type-options"), "nosniff", path);
      assert.equal(headers.get("x-frame-options"), "DENY");
      assert.match(headers.get("content-security-policy")!, /default-src 'none'/);
      assert.equal(headers.get("referrer-policy"), "no-referrer");
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(headers.get("x-powered-by"), null);
      assert.match(headers.get("x-request-id")!, /^[0-9a-f]{32}$/);
    }
  });
  it("answers what is not HTTP, and headers without end, in the same form", async () => {
    const { port } = new URL(gateway.url);
    const talk = async (bytes: string) => {
      const socket = connect(Number(port), "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      socket.write(bytes);
      return text(socket);
    };
    assert.match(await talk("HELLO\r\n\r\n"), /^HTTP\/1\.1 400 [\s\S]*urn:leadfactory:error:malformed/);
    assert.match(await talk(`GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  });
});

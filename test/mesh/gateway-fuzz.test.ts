import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { leadsIn, startGateway } from "../support/gateway.ts";

/** mulberry32: a small generator, so that a seed gives the same requests again. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000_000);
const count = 400;

describe(`a misshapen request (FUZZ_SEED=${seed})`, () => {
  it("is answered 4xx as a problem, or cut off, and the gateway lives on", async function () {
    this.timeout(60_000);
    await using gateway = await startGateway({
      env: { LEADS_RATE_LIMIT: "1000000", LEADS_TRUSTED_PROXIES: "127.0.0.1" },
    });
    const { secret } = await gateway.key("acme", "ingest", "read");
    const next = random(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
    const junk = (length: number) =>
      Array.from({ length: Math.floor(next() * length) }, () => String.fromCharCode(Math.floor(next() * 256))).join("");
    const bodyOf = () => {
      const whole = JSON.stringify({
        name: junk(20),
        phone: junk(20),
        address: { [junk(5)]: junk(9) },
        [pick(["__proto__", "tenant", "constructor"])]: junk(4),
      });
      return pick([
        whole,
        whole.slice(0, Math.floor(next() * whole.length)),
        junk(200),
        `${"[".repeat(5_000)}`,
        `{"a":${"[".repeat(5_000)}`,
        '{"name":1e999}',
        "\u0000",
      ]);
    };
    const requestOf = () => {
      const body = Buffer.from(bodyOf(), "latin1");
      const lengths = [String(body.length), String(body.length + 5), "-1", "x", "999999999999", ""];
      const headers = [
        "host: x",
        `authorization: ${pick([`Bearer ${secret}`, `Bearer ${secret}`, `bearer ${junk(9).replace(/[\r\n\0]/g, "")}`, "Basic eA=="])}`,
        `content-type: ${pick(["application/json", "application/json", "text/csv", "application/x-ndjson", "x", ""])}`,
        `content-length: ${next() < 0.7 ? body.length : pick(lengths)}`,
        `x-request-id: ${pick(["ok", "a b", "\u00ff", "x".repeat(300)])}`,
        `traceparent: ${pick(["00-0-0-0", "", "ff", "\u0080"])}`,
        `x-forwarded-for: 198.51.100.${Math.floor(next() * 250)}, ${pick(["", "x", "203.0.113.5"])}`,
        `idempotency-key: ${pick(["k", "", "\u00e9", "x".repeat(400)])}`,
        ...(next() < 0.1 ? ["transfer-encoding: chunked"] : []),
        ...(next() < 0.1 ? [junk(20)] : []),
      ];
      const method = pick(["POST", "POST", "POST", "GET", "PUT", "BREW", ""]);
      const path = pick([
        "/v1/leads",
        "/v1/leads",
        "/v1/leads/bulk",
        `/v1/leads/${encodeURIComponent(junk(8))}`,
        "/v1/leads?limit=%00&limit=1",
        "/%2e%2e/x",
        "*",
        "http://x/v1/leads",
        `/v1/outbox?cursor=${encodeURIComponent(junk(9))}`,
      ]);
      const head = `${method} ${path} ${pick(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/9.9", "HTTP/1.0"])}\r\n${headers.join("\r\n")}\r\n\r\n`;
      return Buffer.concat([Buffer.from(head, "latin1"), body]);
    };
    const port = Number(new URL(gateway.url).port);
    const answers = new Map<string, number>();
    for (let n = 0; n < count; n++) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      const bytes = requestOf();
      // Half-closed: whatever length was promised, no more will come.
      socket.end(bytes);
      const answer = await text(socket).catch(() => "");
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? "cut off";
      answers.set(status, (answers.get(status) ?? 0) + 1);
      const told = `request ${n} of seed ${seed}: ${JSON.stringify(bytes.toString("latin1").slice(0, 600))}\n${answer.slice(0, 600)}`;
      // Some of them are right after all: 200 for an upload of rows that are all refused, 202 for a lead that has a name.
      assert.match(status, /^(4\d\d|200|202|503|cut off)$/, told);
      // The services behind are not there: reads that were understood find nobody.
      if (status === "503") assert.match(answer, /"dependency":"(leads|email)"/, told);
      if (status.startsWith("4")) assert.match(answer, /application\/problem\+json/, told);
      assert.doesNotMatch(answer, /node_modules|\.ts:\d|at \w+ \(/, told);
    }
    assert.ok((answers.get("400") ?? 0) > 10, JSON.stringify([...answers]));
    assert.equal((await fetch(`${gateway.url}/healthz`)).status, 200);
    assert.ok((await leadsIn(gateway)).every(({ tenant }) => tenant === "acme"));
  });
});

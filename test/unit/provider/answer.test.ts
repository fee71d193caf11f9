import assert from "node:assert/strict";
import { retryAfterMs, sortAnswer } from "../../../mixins/provider/answer.ts";
import { sortGoogle } from "../../../mixins/provider/google.ts";
import { factsOf, query, sortError } from "../../../services/pagespeed/read.ts";
import { measurement } from "../../support/providers/pagespeed.ts";

const now = Date.UTC(2026, 10, 23, 12);
const sorted = (status: number, headers: Record<string, string> = {}) => {
  const { kind, ...more } = sortAnswer({ status, headers: new Headers(headers) }, null, now) as {
    kind: string;
    waitMs?: number | null;
  };
  return "waitMs" in more ? [kind, more.waitMs] : [kind];
};

describe("a provider's HTTP status", () => {
  it("says that it is to be asked later, by whom it says so", () => {
    assert.deepEqual(sorted(429), ["later", null]);
    assert.deepEqual(sorted(429, { "retry-after": "7" }), ["later", 7_000]);
    assert.deepEqual(sorted(503, { "retry-after": "7" }), ["later", 7_000]);
    assert.deepEqual(sorted(402), ["later", 3_600_000]);
  });

  it("says that it is down, or that our key is no good: both are mended by somebody, and no lead's fault", () => {
    for (const status of [401, 403, 408, 500, 502, 503, 301])
      assert.deepEqual(sorted(status), ["down"], String(status));
  });

  it("says that this request will never be answered", () => {
    for (const status of [400, 404, 410, 422]) assert.deepEqual(sorted(status), ["never"], String(status));
    assert.deepEqual(sorted(200), ["good"]);
  });

  it("may carry Retry-After in seconds or as a date, a day at the most", () => {
    assert.equal(retryAfterMs("120", now), 120_000);
    assert.equal(retryAfterMs("Mon, 23 Nov 2026 12:00:30 GMT", now), 30_000);
    // Nothing to wait for is no answer to how long: it is asked after a time that doubles.
    assert.equal(retryAfterMs("Mon, 23 Nov 2026 11:00:00 GMT", now), null);
    assert.equal(retryAfterMs("0", now), null);
    assert.deepEqual(sorted(503, { "retry-after": "0" }), ["later", null]);
    assert.equal(retryAfterMs("99999999", now), 86_400_000);
    assert.equal(retryAfterMs("soon", now), null);
    assert.equal(retryAfterMs(null, now), null);
  });
});

describe("an answer of PageSpeed", () => {
  it("is read into facts: points of 100, milliseconds, shares", () => {
    assert.deepEqual(factsOf(measurement("https://joe.example/")), {
      status: "ok",
      measuredAt: now,
      performance: 52,
      accessibility: 81,
      bestPractices: 96,
      seo: 91,
      fcpMs: 2_710,
      lcpMs: 5_021,
      tbtMs: 260,
      siMs: 4_800,
      cls: 0.105,
      viewport: true,
      tapTargets: 0.87,
    });
  });

  it("leaves out what Lighthouse could not tell, rather than make a zero of it", () => {
    const audits = { viewport: { score: null }, "tap-targets": undefined, "speed-index": { score: null } };
    const facts = factsOf(measurement("https://joe.example/", { audits }));
    for (const name of ["viewport", "tapTargets", "siMs"]) assert.ok(!(name in facts), name);
  });

  it("is read under the newer names of audits, too", () => {
    const audits = {
      viewport: undefined,
      "tap-targets": undefined,
      "viewport-insight": { score: 0 },
      "target-size": { score: 1 },
    };
    const { viewport, tapTargets } = factsOf(measurement("https://joe.example/", { audits }));
    assert.deepEqual([viewport, tapTargets], [false, 1]);
  });

  it("says why it failed, where Lighthouse ended early", () => {
    const facts = factsOf(measurement("https://joe.example/", { runtimeError: { code: "NO_FCP", message: "…" } }));
    assert.deepEqual(facts, { status: "failed", reason: "NO_FCP", measuredAt: now });
  });

  it("is asked for on mobile, in all four categories", () => {
    const asked = new URLSearchParams(query("https://joe.example/?a=b&c", "k") as [string, string][]);
    assert.deepEqual(asked.getAll("category"), ["performance", "accessibility", "best-practices", "seo"]);
    assert.deepEqual([asked.get("strategy"), asked.get("url")], ["mobile", "https://joe.example/?a=b&c"]);
  });

  it("tells a page that cannot be loaded from a key that is not valid, both of them 400", () => {
    const page = {
      error: {
        message: "Lighthouse returned error: NO_FCP. The page",
        errors: [{ domain: "lighthouse", reason: "lighthouseUserError" }],
      },
    };
    assert.deepEqual(sortError(page), { kind: "never", reason: "NO_FCP" });
    const key = {
      error: { message: "API key not valid. Please pass a valid API key.", details: [{ reason: "API_KEY_INVALID" }] },
    };
    assert.equal(sortError(key), null);
    assert.equal(sortGoogle(key)?.kind, "down");
    assert.equal(sortGoogle(page), null);
    assert.equal(sortError(undefined), null);
  });
});

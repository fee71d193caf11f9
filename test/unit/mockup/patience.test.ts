import assert from "node:assert/strict";
import { reasonOf, waitOf } from "../../../services/mockup/patience.ts";

const now = 1_760_000_000_000;
const waits = (error: object, waitedMs = 0, isDown = false, chance = 1) => {
  const until = waitOf(error, { now, since: now - waitedMs, chance, isDown });
  return until === null ? null : until - now;
};

describe("a mock-up whose language model does not answer", () => {
  it("waits for a limit, and for one of a day or an unpaid bill unless its tenant goes on without", () => {
    const later = (ms: number, overBudget?: string) => ({
      type: "PROVIDER_LATER",
      data: { until: now + ms, ...(overBudget === undefined ? {} : { overBudget }) },
    });
    assert.equal(waits(later(60_000)), 65_000);
    assert.equal(waits(later(60_000), 0, false, 0), 60_000);
    assert.equal(waits(later(-5_000), 0, false, 0), 0);
    for (const choice of ["wait", "complete"]) assert.equal(waits(later(3_600_000, choice), 0, false, 0), 3_600_000);
    assert.equal(waits(later(3_600_000, "without")), null);
    assert.equal(reasonOf(later(3_600_000, "without")), "later");
  });

  it("waits out an outage, the more seldom the longer it lasts, and not all at once", () => {
    const down = { type: "OUTAGE" };
    assert.deepEqual(
      [0, 60_000, 3_600_000].map((ms) => waits(down, ms, true)),
      [5_000, 30_000, 120_000],
    );
    assert.equal(waits(down, 3_600_000, true, 0), 60_000);
  });

  it("is the template's at once where there is no key, no money, or no answer ever", () => {
    for (const [error, reason] of [
      [{ type: "PROVIDER_OFF" }, "no_key"],
      [{ type: "OVER_BUDGET", data: { until: now + 5 } }, "over_budget"],
      [{ type: "PROVIDER_REFUSED", data: { reason: "request_too_large" } }, "refused: request_too_large"],
    ] as const) {
      assert.equal(waits(error), null);
      assert.equal(reasonOf(error), reason);
    }
    const unreadable = { type: "OUTAGE", data: { reason: "unreadable" } };
    assert.deepEqual([waits(unreadable, 0, true), reasonOf(unreadable)], [null, "unreadable"]);
    assert.equal(reasonOf({ type: "INTERNAL" }), null);
  });
});

import assert from "node:assert/strict";
import { backoffMs, exhausted } from "../../../mixins/actor/backoff.ts";

const policy = { retries: 5, baseMs: 1_000, maxMs: 300_000 };
const almostOne = 1 - Number.EPSILON;

describe("the backoff", () => {
  it("doubles its upper bound with every failed try, up to the policy's longest wait", () => {
    const bounds = [1, 2, 3, 4, 5, 9, 10, 11].map((failed) => backoffMs(policy, failed, almostOne) + 1);
    assert.deepEqual(bounds, [1_000, 2_000, 4_000, 8_000, 16_000, 256_000, 300_000, 300_000]);
  });

  it("has full jitter: a draw between nothing and the bound", () => {
    assert.equal(backoffMs(policy, 3, 0), 0);
    assert.equal(backoffMs(policy, 3, 0.5), 2_000);
    const draws = Array.from({ length: 2_000 }, () => backoffMs(policy, 3));
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    assert.ok(draws.every((ms) => ms >= 0 && ms < 4_000));
    assert.ok(mean > 1_800 && mean < 2_200, `mean ${mean}`);
  });

  it("stays finite after any number of tries", () => {
    assert.equal(backoffMs(policy, 5_000, 0.5), 150_000);
  });

  it("is exhausted after the first try and all its retries", () => {
    assert.deepEqual(
      [1, 5, 6].map((failed) => exhausted(policy, failed)),
      [false, false, true],
    );
    assert.equal(exhausted({ ...policy, retries: 0 }, 1), true);
  });
});

import assert from "node:assert/strict";
import {
  desired,
  desiredBy,
  drainSeconds,
  neverSeconds,
  quantileOf,
  within,
} from "../../../services/metrics/desired.ts";

describe("the scaling law", () => {
  const vectors: [arrival: number, backlog: number, mu: number, goal: number, wanted: number][] = [
    [0, 0, 50, 300, 0],
    [40, 0, 50, 300, 1],
    [120, 0, 50, 300, 3],
    [120, 150_000, 50, 300, 13],
    [0, 14_999, 50, 300, 1],
    [0, 15_000, 50, 300, 1],
    [0, 15_001, 50, 300, 2],
    [0.3, 0, 0.1, 300, 3],
  ];
  for (const [arrival, backlog, mu, goalSeconds, wanted] of vectors)
    it(`wants ${wanted} for ${arrival}/s and a backlog of ${backlog}, at ${mu}/s each and ${goalSeconds} s to drain`, () => {
      assert.equal(desired({ arrival, mu, backlogs: [{ leads: backlog, goalSeconds }] }), wanted);
    });

  it("adds up the lanes, each in its own time", () => {
    const backlogs = [
      { leads: 1_000, goalSeconds: 10 },
      { leads: 15_000, goalSeconds: 300 },
    ];
    assert.equal(desired({ arrival: 0, mu: 50, backlogs }), 3);
  });

  it("keeps to the limits", () => {
    const working = { instances: 2, held: false };
    assert.equal(within(0, { min: 1, max: 8 }, working), 1);
    assert.equal(within(13, { min: 1, max: 8 }, working), 8);
  });

  it("never scales out what is paused or in an outage, and lets it scale in", () => {
    const held = { instances: 2, held: true };
    assert.equal(within(7, { min: 1, max: 8 }, held), 2);
    assert.equal(within(1, { min: 1, max: 8 }, held), 1);
    assert.equal(within(7, { min: 1, max: 8 }, { instances: 0, held: true }), 1);
  });

  it("is compared with what one sign alone would ask for", () => {
    assert.equal(desiredBy("cpu", 2, 0.7), 2);
    assert.equal(desiredBy("cpu", 2, 1.4), 4);
    assert.equal(desiredBy("memory", 4, 0.2), 1);
    assert.equal(desiredBy("batch_p95", 1, 12), 2.4);
  });
});

describe("the time to drain", () => {
  it("is 0 without a backlog, and never NaN", () => {
    assert.equal(drainSeconds(0, 0), 0);
    assert.equal(drainSeconds(100, 0), neverSeconds);
    assert.equal(drainSeconds(100, 25), 4);
  });
});

describe("a quantile of a histogram", () => {
  const buckets = new Map([
    [0.1, 50],
    [1, 90],
    [5, 100],
  ]);
  it("is reckoned as Prometheus does", () => {
    assert.equal(quantileOf(buckets, 100, 0.5), 0.1);
    assert.equal(quantileOf(buckets, 100, 0.95), 3);
    assert.equal(quantileOf(buckets, 0, 0.95), null);
  });
  it("is the largest bound for what lies beyond it", () => {
    assert.equal(quantileOf(buckets, 1_000, 0.95), 5);
  });
});

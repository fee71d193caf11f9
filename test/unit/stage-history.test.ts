import assert from "node:assert/strict";
import { everyMs, History, pointsKept } from "../../services/operations/history.ts";
import type { Stage } from "../../services/operations/stages.ts";

const stage = (name: string, given: Partial<Stage>): Stage => ({
  name,
  state: "working",
  backlog: 0,
  parked: 0,
  about: false,
  oldestMs: null,
  rate: 0,
  drainSeconds: 0,
  instances: [],
  lanes: [],
  ...given,
});

describe("the history of the stages", () => {
  it("keeps of each point's time the mean of the rate, and the worst of all else", () => {
    const history = new History();
    for (const [second, backlog, rate, oldestMs] of [
      [0, 10, 0, 500],
      [5, 90, 30, 9_000],
      [15, 20, 60, null],
    ] as const)
      history.add([stage("score", { backlog, rate, oldestMs })], second * 1_000);
    history.add([stage("score", { backlog: 1, rate: 1 })], 16_000);
    assert.deepEqual(history.of(["score"]), {
      everyMs,
      at: [15_000],
      stages: { score: { backlog: [90], inHand: [0], parked: [0], oldestMs: [9_000], rate: [30] } },
    });
  });

  it("begins each point anew, and says null of a stage that was not there", () => {
    const history = new History();
    history.add([stage("score", { backlog: 50 })], 0);
    history.add([stage("score", { backlog: 50 })], everyMs);
    history.add([stage("score", { backlog: 3 }), stage("email", { backlog: 7 })], 2 * everyMs);
    const { stages } = history.of(["score", "email"]);
    assert.deepEqual(stages["score"]!.backlog, [50, 3]);
    assert.deepEqual(stages["email"]!.backlog, [null, 7]);
  });

  it("is an hour long at the most", () => {
    const history = new History();
    for (let n = 0; n <= pointsKept + 50; n++) history.add([stage("score", { backlog: n })], n * everyMs);
    const { at, stages } = history.of(["score"]);
    assert.equal(at.length, pointsKept);
    assert.equal(at.at(-1)! - at[0]!, 3_600_000 - everyMs);
    assert.equal(stages["score"]!.backlog.at(-1), pointsKept + 50);
  });

  it("is taken over from another instance by one that has just begun, and by no other", () => {
    const [old, young] = [new History(), new History()];
    for (let n = 0; n <= 3; n++) old.add(n < 2 ? [] : [stage("score", { backlog: n, rate: n })], n * everyMs);
    young.adopt(old.of(["score"]));
    assert.deepEqual(young.of(["score"]), old.of(["score"]));
    young.adopt({ everyMs, at: [1], stages: {} });
    assert.deepEqual(young.of(["score"]), old.of(["score"]), "it has an hour of its own by now");
  });
});

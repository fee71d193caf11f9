import assert from "node:assert/strict";
import { Revisions } from "../../../services/intake/revisions.ts";

describe("revisions of an upload", () => {
  it("are the moment, and later for each further telling of a lead in the same one", () => {
    const revisions = new Revisions();
    const told = ["a", "b", "a", "a"].map((id) => revisions.next(id, 1_000));
    assert.deepEqual(told, [1_000, 1_000, 1_001, 1_002]);
  });

  it("stay ahead of a lead that was told more often than milliseconds have passed", () => {
    const revisions = new Revisions();
    for (let n = 0; n < 3; n++) revisions.next("a", 1_000);
    assert.deepEqual(
      [revisions.next("b", 1_001), revisions.next("a", 1_001), revisions.next("a", 2_000)],
      [1_001, 1_003, 2_000],
    );
  });

  it("do not go back with the clock", () => {
    const revisions = new Revisions();
    assert.deepEqual([revisions.next("a", 1_000), revisions.next("a", 990)], [1_000, 1_001]);
  });
});

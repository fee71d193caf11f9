import assert from "node:assert/strict";
import { stall, stalledMs } from "../../../bench/pipeline/stall.ts";

describe("a count that a bench waits for", () => {
  it("may take any time while it moves, and is given up when it has stood still for two minutes", () => {
    let now = 0;
    const note = stall("leads", () => now);
    for (const count of [0, 0, 1, 1, 2]) {
      note(count);
      now += stalledMs - 1;
    }
    note(2);
    now += 1;
    assert.throws(() => note(2), /leads: 2, and no more for 120 s/);
  });
});

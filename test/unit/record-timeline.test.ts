import assert from "node:assert/strict";
import type { TimelineEntry } from "../../services/leads/lead.ts";
import { entriesOf, linesOf } from "../../services/leads/timeline.ts";

const entry: TimelineEntry = { stage: "enrich", at: 1_764_252_323_123, waitedMs: 3, workedMs: 12, outcome: "forward" };

describe("a timeline on record", () => {
  it("is a line a stage, with the attempt when it was not the first, and reads back as it was", () => {
    const timeline = [entry, { ...entry, stage: "dedupe", attempt: 2 }];
    const lines = linesOf(timeline);
    assert.deepEqual(lines, ["enrich 1764252323123 3 12 forward", "dedupe 1764252323123 3 12 forward 2"]);
    assert.deepEqual(entriesOf(lines), timeline);
  });

  it("keeps what is no entry as it is, and reads timelines from before there were lines", () => {
    const strange = [
      null,
      7,
      "x",
      [],
      {},
      { ...entry, stage: "two words" },
      { ...entry, outcome: 7 },
      { ...entry, at: -1 },
      { ...entry, waitedMs: 0.5 },
      { ...entry, workedMs: "3" },
      { ...entry, attempt: null },
      { ...entry, more: 1 },
      { ...entry, at: 2 ** 60 },
    ];
    assert.deepEqual(linesOf(strange), strange);
    assert.deepEqual(entriesOf(linesOf([...strange, entry])), [...strange, entry]);
    assert.deepEqual(entriesOf([entry]), [entry]);
  });

  it("reads back whatever words a stage and an outcome are", () => {
    for (const word of ["", "a\nb", "ä", "1", '"'])
      assert.deepEqual(entriesOf(linesOf([{ ...entry, stage: word, outcome: word }])), [
        { ...entry, stage: word, outcome: word },
      ]);
  });
});

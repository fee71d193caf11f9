import assert from "node:assert/strict";
import { growthRows } from "../../../bench/memory/growth-rows.ts";
import type { Sample } from "../../../bench/processes/usage.ts";

/** A look at processes that hold so many megabytes. */
function sample(megabytes: Record<string, number>): Sample {
  const usage = { cpuMs: 0, readBytes: 0, writtenBytes: 0, descriptors: 0 };
  const processes = new Map(
    Object.entries(megabytes).map(([name, size]) => [name, { ...usage, memoryBytes: size * 2 ** 20 }]),
  );
  return { at: 0, processes, busyMs: 0, loopbackBytes: 0, freeMemory: 1 };
}
const missed = (second: Sample[], last: Sample[]) =>
  growthRows(second, last).flatMap(({ figure, holds }) => (holds === false ? [figure] : []));

describe("the memory of processes from one quarter of the leads to the last", () => {
  it("holds where it is flat, by the mean", () => {
    const rows = growthRows([sample({ score: 100 }), sample({ score: 200 })], [sample({ score: 160 })]);
    assert.deepEqual(
      rows.map(({ figure, value, holds }) => [figure, value, holds]),
      [
        ["score, second quarter", 150, null],
        ["score, last quarter / second", 1.067, true],
      ],
    );
  });

  it("fails with a process that grows, but for PostgreSQL, whose buffers fill", () => {
    assert.deepEqual(missed([sample({ score: 100, postgres: 100 })], [sample({ score: 111, postgres: 200 })]), [
      "score, last quarter / second",
    ]);
  });

  it("fails with a process that was gone for some of the time, or came late", () => {
    const both = { score: 100, mail: 100 };
    const only = ["mail, last quarter / second"];
    assert.deepEqual(missed([sample(both)], [sample({ score: 100 })]), only);
    assert.deepEqual(missed([sample(both)], [sample(both), sample({ score: 100 })]), only);
    assert.deepEqual(missed([sample({ score: 100 })], [sample(both)]), only);
  });
});

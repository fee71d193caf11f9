import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { heapFlags } from "../../bin/stack/runner.ts";

/** What outlives two collections of the young generation is what makes it grow: a backlog in work. MB that it then has. */
const burst = `
  const kept = [];
  for (let n = 0; n < 1_000_000; n++) {
    kept.push({ n, text: String(n) });
    if (kept.length > 300_000) kept.length = 0;
  }
  const spaces = process.getBuiltinModule("node:v8").getHeapSpaceStatistics();
  console.log(spaces.find((space) => space.space_name === "new_space").space_size / 2 ** 20);
`;
const afterBurst = (flags: readonly string[]) =>
  Number(execFileSync(process.execPath, [...flags, "--eval", burst], { encoding: "utf8" }));

/** Processes of 70 MB came to 200 and more when an outage was over, and kept it. */
describe("a burst of work", () => {
  it("leaves a process's young generation as large as it was at its start, which V8 by itself does not", () => {
    assert.ok(afterBurst([]) > 16);
    assert.equal(afterBurst(heapFlags), 16);
  });
});

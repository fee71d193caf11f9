import assert from "node:assert/strict";
import { countsOf, filesAgain, isForgivable } from "../../bin/test/counts.ts";

const row = "test/fault/faults.test.ts: a mesh in which everything breaks loses and doubles nothing: enrich: kill -9";

describe("a run of tests", () => {
  it("counts what each process says of itself, and one that says nothing as failed", () => {
    const output = "  failed: a.test.ts: one: two\n3 passed, 1 failed, 2 skipped\n";
    assert.deepEqual(countsOf(output), { passed: 3, failed: 1, skipped: 2, failures: ["a.test.ts: one: two"] });
    assert.deepEqual(countsOf("Segmentation fault"), { passed: 0, failed: 1, skipped: 0, failures: [] });
  });

  it("looks once more at a file in which a test failed, each once", () => {
    const failures = ["test/mesh/a.test.ts: one: 1 lost: x", "test/mesh/a.test.ts: two: no", "test/b.test.ts: one: no"];
    assert.deepEqual(filesAgain(failures), ["test/mesh/a.test.ts", "test/b.test.ts"]);
  });

  it("takes nothing back of a row that lost or doubled something: at the second try it might not", () => {
    for (const found of [
      "1 lost: 5b0a",
      "2 doubled: e-mail x (2 times)",
      "1 dead letters: y: does not answer within 10000 ms",
      'available 98.1 %: 500 {"type":"INTERNAL"}',
      "sender did not leave within 30000 ms of SIGTERM",
      "and PostgreSQL crashed",
    ]) {
      assert.ok(!isForgivable(`${row}: ${found}`), found);
      assert.deepEqual(filesAgain(["test/mesh/a.test.ts: one: no", `${row}: ${found}`]), []);
    }
  });

  it("looks once more at a row that only says that something came too late", () => {
    const late = [
      "not quiet: {}",
      "recovered after null s",
      "available 99.1 %: 0 TimeoutError",
      "p95 900 ms, it was 80 ms",
      "enrich has work in hand: not within 120000 ms",
      "no process has been given envelopes, and moved none within 120000 ms",
      'Timeout of 300000ms exceeded. For async tests and hooks, ensure "done()" is called.',
    ];
    for (const text of late) assert.deepEqual(filesAgain([`${row}: ${text}`]), ["test/fault/faults.test.ts"], text);
  });

  it("looks at nothing more where a failure is of no file: the run has broken", () => {
    assert.deepEqual(filesAgain([": a test left a process behind"]), []);
  });
});

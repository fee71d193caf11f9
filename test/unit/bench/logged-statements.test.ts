import assert from "node:assert/strict";
import { loggedStatements } from "../../../bench/growth/logged.ts";

const at = "2026-11-27 23:49:06.685 UTC [20707] LOG:  ";

describe("the statements of PostgreSQL's log", () => {
  it("are each told once, with their constants and the mean of their times", () => {
    const log = [
      `${at}duration: 0.100 ms  parse <unnamed>: select a from b`,
      `${at}duration: 0.120 ms  execute <unnamed>: select a\n\tfrom b where c in ($1, $2) and state = 'written'`,
      `${at}duration: 0.240 ms  execute b_of: select a from b where c in ($1, $2,$3) and state = 'written'`,
      `${at}duration: 2.000 ms  statement: delete from b`,
      "2026-11-27 23:49:06.693 UTC [20713] LOG:  checkpoint starting: time",
      "",
    ].join("\n");
    assert.deepEqual(loggedStatements(log), [
      { text: "delete from b", calls: 1, meanMs: 2 },
      { text: "select a\n\tfrom b where c in ($1, $2) and state = 'written'", calls: 2, meanMs: 0.18 },
    ]);
  });

  it("are none of the bench's own, and none that touch no rows", () => {
    const log = [
      `${at}duration: 0.02 ms  statement: BEGIN;`,
      `${at}duration: 0.02 ms  statement: select /* bench */ pg_reload_conf()`,
      "",
    ].join("\n");
    assert.deepEqual(loggedStatements(log), []);
  });
});

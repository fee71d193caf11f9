import assert from "node:assert/strict";
import { LeadsError } from "../../mixins/errors.ts";
import { formatLine } from "../../mixins/log.ts";

describe("a log line", () => {
  it("is one JSON object with the text, who says it and the fields it was given", () => {
    const line = formatLine("warn", ["mailbox full", { stage: "score", leads: 12n }], { nodeID: "n-1", mod: "score" });
    const { time, ...rest } = JSON.parse(line);
    assert.deepEqual(rest, {
      level: "warn",
      node: "n-1",
      module: "score",
      message: "mailbox full",
      stage: "score",
      leads: "12",
    });
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    assert.ok(!line.includes("\n"));
  });

  it("tells an error's type, message and cause, and not its data, which may be a person's", () => {
    const error = new LeadsError(
      "VALIDATION",
      "a field is wrong",
      { email: "jane@example.com" },
      { cause: new Error("why") },
    );
    for (const line of [formatLine("error", ["refused", error]), formatLine("error", ["refused", { error }])]) {
      assert.doesNotMatch(line, /jane/);
      const { error: told } = JSON.parse(line);
      assert.equal(told.type, "VALIDATION");
      assert.equal(told.message, "a field is wrong");
      assert.equal(told.cause, "why");
    }
  });

  it("tells of a database's error what was wrong, and not its words, which quote values", () => {
    const error = Object.assign(new Error('invalid input syntax for type uuid: "jane@example.com"'), {
      severity: "ERROR",
      code: "22P02",
      table: "leads",
    });
    const line = formatLine("error", ["failed", error]);
    assert.doesNotMatch(line, /jane/);
    assert.equal(JSON.parse(line).error.code, "22P02");
  });

  it("cannot be made to look like another line by a field's name", () => {
    const { level, message } = JSON.parse(formatLine("info", ["hello", { level: "fatal", message: "forged" }]));
    assert.deepEqual([level, message], ["info", "hello"]);
  });
});

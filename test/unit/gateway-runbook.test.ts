import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runbookOf } from "../../services/gateway/runbook.ts";

const root = join(import.meta.dirname, "..", "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("the runbook", () => {
  const sections = runbookOf(read("docs/operate.md"));

  it("has a section for every alert and for every state of a stage, each with all that it should say", () => {
    const named = [
      ...[...read("compose/prometheus/alerts.rules.yml").matchAll(/alert: (\w+)/g)].map(([, name]) => name!),
      ...[...read("services/operations/stages.ts").matchAll(/"((?:Stage|Pool|Oldest)\w+)"/g)].map(([, name]) => name!),
    ];
    assert.ok(named.length > 20);
    const known = new Set(sections.map(({ name }) => name));
    assert.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
    );
    for (const { name, means, look, do: todo } of sections)
      for (const text of [means, look, todo]) assert.ok(text.length > 10, name);
  });

  it("keeps the commands of a section together, by where they are typed", () => {
    const { commands } = sections.find(({ name }) => name === "PoolUsedUp")!;
    assert.deepEqual(
      commands.map(({ kind }) => kind),
      ["repl", "sql", "promql"],
    );
    assert.equal(commands[0]!.text, "stages");
    assert.equal(commands[2]!.text, "leads_pool_waiting\nleads_pool_connections");
  });
});

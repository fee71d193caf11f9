import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../../services/intake/limits.ts";
import { rawFields } from "../../../services/intake/raw.ts";

const text = readFileSync(join(import.meta.dirname, "..", "..", "..", "docs", "intake.md"), "utf8");

describe("docs/intake.md", () => {
  it("names every field of a lead, and no other", () => {
    const table = text.slice(text.indexOf("## Fields"), text.indexOf("Null and blank"));
    const rows = table.split("\n").filter((line) => line.startsWith("| `"));
    const named = rows.flatMap((line) => [...line.split("|")[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!));
    assert.deepEqual(named.sort(), Object.keys(rawFields).sort());
  });

  it("tells the limits that hold", () => {
    for (const part of [
      `up to ${limits.name} characters`,
      `up to ${limits.source} characters`,
      `up to ${limits.sourceId} characters`,
      `up to ${limits.categories}`,
    ])
      assert.ok(text.includes(part), part);
  });
});

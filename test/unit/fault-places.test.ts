import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { places } from "../fault/faults/steps.ts";

const root = join(import.meta.dirname, "..", "..");

/** A fault that finds no line to stop at is found out in the minutes or hours of a run that needs it. */
describe("the lines at which faults stop a process", () => {
  for (const [name, { file, line }] of Object.entries(places))
    it(`stand in the product, each once: ${name}`, () => {
      const lines = readFileSync(join(root, file), "utf8").split("\n");
      assert.equal(lines.filter((text) => text.includes(line)).length, 1, `${file}: ${line}`);
    });
});

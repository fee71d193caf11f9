import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generatedFiles, upToDate } from "../../bin/docs.ts";

describe("what the documentation takes from elsewhere", () => {
  for (const file of generatedFiles)
    it(`is up to date in ${file}`, () => {
      const text = readFileSync(join(import.meta.dirname, "..", "..", file), "utf8");
      assert.equal(upToDate(file, text), text, "it is out of date: node bin/docs.ts writes it anew");
    });
});

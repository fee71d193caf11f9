import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { environmentOf } from "../../config/settings.ts";
import { aLead } from "../support/leads.ts";
import { testPlace } from "../support/servers.ts";
import type { Told } from "../support/seventh-stage.ts";

const root = join(import.meta.dirname, "..", "..");
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The README's code block of this kind. */
function block(kind: string): string {
  const found = new RegExp(`\`\`\`ts ${kind}\\n([\\s\\S]*?)\`\`\``).exec(readme);
  assert.ok(found, `README.md has a block "ts ${kind}"`);
  return found[1]!;
}

describe("README: add a stage", () => {
  it("is followed to the letter, and leads pass the seventh stage", async () => {
    await using place = await testPlace({});
    const copy = mkdtempSync(join(tmpdir(), "leadfactory-seventh-"));
    try {
      for (const folder of ["config", "mixins", "services", "package.json"])
        cpSync(join(root, folder), join(copy, folder), { recursive: true });
      symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
      const pipeline = join(copy, "config", "pipeline.ts");
      const before = readFileSync(pipeline, "utf8");
      const after = before.replace(/^ {2}\{ name: "score"/m, `${block("pipeline")}$&`);
      assert.notEqual(after, before);
      writeFileSync(pipeline, after);
      mkdirSync(join(copy, "services", "territory"));
      writeFileSync(join(copy, "services", "territory", "territory.service.ts"), block("service"));

      const leads = [
        aLead({ fields: { name: "Served", phone: "+13125550100", address: { street: "1 Main St", state: "IL" } } }),
        aLead({ fields: { name: "Elsewhere", phone: "+12145550100", address: { street: "9 Elm St", state: "TX" } } }),
      ];
      const script = join(import.meta.dirname, "..", "support", "seventh-stage.ts");
      const { stdout } = await promisify(execFile)(process.execPath, [script, copy, JSON.stringify(leads)], {
        env: { ...process.env, ...environmentOf(place.settings) },
        timeout: 30_000,
      });
      const [served, elsewhere] = stdout
        .split("\n")
        .filter((line) => line.startsWith('{"reason"'))
        .map((line) => JSON.parse(line) as Told);
      assert.deepEqual(served?.stages, ["enrich", "dedupe", "territory", "score", "mockup", "email"]);
      assert.deepEqual(elsewhere, { reason: "outside_territory", stages: ["enrich", "dedupe", "territory"] });
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});

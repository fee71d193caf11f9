import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const command = join(import.meta.dirname, "../../../bin/dedupe-report.ts");
const run = promisify(execFile);
const lines = [
  "Firm,Street,Zip,Phone,Truth",
  "Rosebud Bakery,27 W Washington St,60602,312-555-0142,1",
  '"The Rosebud Bakery, Inc.",27 Washington,60602,,1',
  "Rosebud Bakery,900 N Clark St,60610,,2",
  "Zhao Law Office,27 W Washington St,60602,312-555-0199,3",
  "Tulip,,60611,312-555-0177,4",
  "Daffodil,1 Elm St,60699,312-555-0111,4",
  "Tulip,,60611,312-555-0177,x",
];
const map = "name=Firm,street=Street,zip=Zip,phone=Phone";

describe("npm run dedupe:report", () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "report-"));
    file = join(folder, "list.csv");
    await writeFile(file, lines.join("\n"));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const report = (...args: string[]) => run(process.execPath, [command, file, ...args], { cwd: folder });

  it("measures by pairs, and leaves rows out whose gold is unknown", async () => {
    const { stdout } = await report("--gold", "Truth", "--map", map, "--json");
    // Of two true pairs one is found, no other is; Tulip and Daffodil share nothing to meet at.
    assert.deepEqual(JSON.parse(stdout), { precision: 1, recall: 0.5, f1: 2 / 3, blockingRecall: 0.5, doubt: 0 });
  });

  it("shows the worst errors for people to read", async () => {
    const { stdout } = await report("--gold", "Truth", "--map", map, "--sweep");
    assert.match(stdout, /was not\n {2}1 pairs, never compared\n {4}line 6, 4: Tulip .*\n {4}line 7, 4: Daffodil/);
    assert.equal(stdout.match(/^\d+\.\d\d +\d/gm)?.length, 5, "both thresholds, and each moved both ways");
  });

  it("decides the same whatever the gold says", async () => {
    const all = async (gold: string) => {
      await writeFile(file, lines.map((line, n) => (n === 0 ? line : line.replace(/[^,]*$/, gold))).join("\n"));
      return JSON.parse((await report("--gold", "Truth", "--map", map, "--json")).stdout);
    };
    const [one, other] = [await all("a"), await all("b")];
    assert.deepEqual(one, other);
    assert.ok(one.recall < 1 && one.recall > 0);
  });

  it("says which argument or column is wrong", async () => {
    await assert.rejects(report(), /--gold: say which column/);
    await assert.rejects(report("--gold", "Nothing", "--map", map), /--gold: there is no column "Nothing"/);
    await assert.rejects(report("--gold", "Truth", "--region", "Mars"), /two capital letters/);
  });
});

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments } from "../../../bin/import/arguments.ts";
import { duration, progressLine } from "../../../bin/import/bar.ts";
import { readCheckpoint, removeCheckpoint, writeCheckpoint } from "../../../bin/import/checkpoint.ts";
import { checkRefusedFile, openRefusedFile } from "../../../bin/import/refused-file.ts";
import { countRefused, noCounts } from "../../../bin/import/summary.ts";

describe("import: the command line", () => {
  it("reads its options", () => {
    const read = readArguments([
      "list.csv",
      "--map",
      "name=A",
      "--area-code",
      "773",
      "--lane",
      "live",
      "--source",
      " S ",
    ]);
    assert.ok(read !== "help");
    assert.deepEqual(
      [read.file, read.map, read.areaCode, read.lane, read.source, read.tenant, read.restart],
      ["list.csv", "name=A", "773", "live", "S", "demo", false],
    );
    assert.equal(readArguments(["-h"]), "help");
  });

  it("says every fault at once, and what is allowed", () => {
    assert.throws(
      () =>
        readArguments(["a", "b", "--region", "XX", "--trust", "sure", "--format", "xls", "--source", "x".repeat(65)]),
      (error: Error) => {
        assert.equal(error.message.split("\n").length, 5);
        assert.match(error.message, /--trust "sure": allowed is manual, verified/);
        return true;
      },
    );
    assert.throws(() => readArguments(["a", "--nmae", "x"]), /--nmae/);
  });
});

describe("import: what it shows", () => {
  it("draws how far it is, how fast, and how long it will take", () => {
    const progress = {
      rows: 12_345,
      accepted: 12_000,
      refused: 345,
      refusedBy: {},
      bytes: 50,
      totalBytes: 200,
      rate: 9_000,
    };
    assert.equal(
      progressLine({ ...progress, etaMs: 61_000 }),
      "[#######---------------------]  25 %  12,345 rows  345 refused  9,000/s  1:01 left",
    );
    assert.match(progressLine({ ...progress, waiting: "nats is down" }), /waiting: nats is down$/);
    assert.match(progressLine({ ...progress, totalBytes: 0 }), /100 %/);
    assert.equal(duration(3_725_000), "1:02:05");
  });

  it("counts a refused row once, under its first fault, without the value", () => {
    const counts = noCounts();
    countRefused(counts, [
      { field: "name", message: '"A \\"B\\"" is not a name' },
      { field: "phone", message: "x" },
    ]);
    countRefused(counts, [{ field: "name", message: '"C" is not a name' }]);
    countRefused(counts, [{ field: "", message: "the row is longer than 5 bytes" }]);
    for (let n = 0; n < 100; n++) countRefused(counts, [{ field: `f${n}`, message: "is not a field of a lead" }]);
    assert.equal(counts.refusedBy["name … is not a name"], 2);
    assert.equal(counts.refusedBy["the row is longer than 5 bytes"], 1);
    assert.equal(Object.keys(counts.refusedBy).length, 51);
    assert.equal(
      Object.values(counts.refusedBy).reduce((a, b) => a + b),
      counts.refused,
    );
  });
});

describe("import: the checkpoint", () => {
  const dir = mkdtempSync(join(tmpdir(), "leadfactory-checkpoint-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  it("is found again by an import with the same options alone", () => {
    const file = join(dir, "new", "x.json");
    const checkpoint = { options: "a", line: 7, counts: noCounts(), refusedBytes: 3 };
    assert.equal(readCheckpoint(file, "a"), undefined);
    writeCheckpoint(file, checkpoint);
    writeCheckpoint(file, { ...checkpoint, line: 9 });
    assert.deepEqual(readCheckpoint(file, "a"), { ...checkpoint, line: 9 });
    assert.equal(readCheckpoint(file, "b"), undefined);
    removeCheckpoint(file);
    assert.equal(readCheckpoint(file, "a"), undefined);
  });

  it("that cannot be read is none", () => {
    const file = join(dir, "broken.json");
    for (const text of ["", "{", "null", '{"options":"a"}']) {
      writeFileSync(file, text);
      assert.equal(readCheckpoint(file, "a"), undefined, text);
    }
  });
});

describe("import: the file of refused rows", () => {
  const dir = mkdtempSync(join(tmpdir(), "leadfactory-refused-"));
  const file = join(dir, "list.csv");
  before(() => writeFileSync(file, "name\n"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  it("is never the file that is imported, by whatever name", () => {
    const link = join(dir, "link.csv");
    symlinkSync(file, link);
    for (const refused of [file, join(dir, ".", "list.csv"), link])
      for (const isOurs of [false, true])
        assert.throws(() => checkRefusedFile(refused, file, isOurs), /--refused .* is the file itself/, refused);
  });

  it("holds nothing before, but for an earlier run's", () => {
    const refused = join(dir, "refused.ndjson");
    checkRefusedFile(refused, file, false);
    writeFileSync(refused, "");
    checkRefusedFile(refused, file, false);
    writeFileSync(refused, "{}\n");
    assert.throws(() => checkRefusedFile(refused, file, false), /refused\.ndjson is not empty: name another/);
    checkRefusedFile(refused, file, true);
  });

  it("is cut to what is noted of it, and never made longer", () => {
    const refused = join(dir, "new", "refused.ndjson");
    for (const [held, noted, then] of [
      ["", 0, "x"],
      ["abcdef", 4, "abcdx"],
      ["ab", 4, "abx"],
    ] as const) {
      if (held !== "") writeFileSync(refused, held);
      const { fd, bytes } = openRefusedFile(refused, noted);
      writeSync(fd, "x");
      closeSync(fd);
      assert.deepEqual([bytes, readFileSync(refused, "utf8")], [then.length - 1, then]);
    }
  });
});

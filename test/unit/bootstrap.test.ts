import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { birthOf } from "../../bin/stack/process.ts";
import { eventually } from "../support/eventually.ts";

const bootstrap = join(import.meta.dirname, "..", "..", "bin", "bootstrap.mjs");

describe("the first step of a command, where the packages are not installed", () => {
  let root: string;
  let lock: string;
  let child: ChildProcess | undefined;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "leadfactory-bootstrap-"));
    lock = join(root, ".stack", "install.lock");
    for (const folder of ["bin", ".stack"]) mkdirSync(join(root, folder));
    // A project that needs no package: what npm installs of it is quickly there.
    const project = { name: "none", version: "1.0.0" };
    writeFileSync(join(root, "package.json"), JSON.stringify(project));
    const packages = { "": project };
    writeFileSync(join(root, "package-lock.json"), JSON.stringify({ ...project, lockfileVersion: 3, packages }));
    writeFileSync(join(root, "bin", "stop.ts"), 'console.log("handed over");\n');
    cpSync(bootstrap, join(root, "bin", "bootstrap.mjs"));
  });
  afterEach(() => {
    child?.kill("SIGKILL");
    rmSync(root, { recursive: true, force: true });
  });

  /** Runs it; what it says, and how it ends. */
  function run(): { said(): string; code: Promise<number | null> } {
    let text = "";
    const env = { PATH: process.env["PATH"], HOME: root, npm_config_update_notifier: "false" };
    child = spawn(process.execPath, [join(root, "bin", "bootstrap.mjs"), "stop"], { env });
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (text += chunk));
    return { said: () => text, code: once(child, "close").then(([code]) => code) };
  }

  it("waits for an installation that is under way", async () => {
    writeFileSync(lock, `${process.pid} ${birthOf(process.pid)}`);
    const { said, code } = run();
    await eventually("it waits", () => said().includes("waiting for another installation to end"));
    rmSync(lock);
    assert.equal(await code, 0, said());
    assert.match(said(), /installing packages.*handed over/s);
  });

  it("waits for none that was cut short, when another process has its pid", async function () {
    if (process.platform !== "linux") return this.skip();
    for (const birth of ["another", ""]) {
      writeFileSync(lock, `${process.pid} ${birth}`.trim());
      const { said, code } = run();
      assert.equal(await code, 0, said());
      assert.doesNotMatch(said(), /waiting/);
      assert.match(said(), /installing packages.*handed over/s);
    }
  });
});

/** `npm test [-- FILES or mocha's flags]`: mocha over every test, on servers of its own (test/support/servers.ts). */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const given = process.argv.slice(2);
const hasFiles = given.some((arg) => arg.endsWith(".test.ts"));
const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
const child = spawn(process.execPath, [mocha, ...(hasFiles ? [] : ["test/**/*.test.ts"]), ...given], {
  cwd: root,
  stdio: "inherit",
});
// Mocha ends its servers on these; we wait for it. A terminal sends Ctrl-C to it too.
process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
process.on("SIGTERM", () => child.kill("SIGINT"));
child.once("exit", (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal!];
});

/**
 * `npm test [-- FILES or mocha's flags]`: mocha over every test, on servers of its own (test/support/servers.ts). All tests
 * are dealt out to two processes, as most of them wait rather than compute; the second one's output follows the first's.
 * A mesh in which everything breaks (test/fault) comes last, when one of them has ended: it is many processes itself.
 * Some two thousand tests on real servers share the processors: a file in which one fails is run once more, alone. What
 * passes then has passed, and is told as `failed beside others`; what fails twice has failed. A row of test/fault that found
 * more than that something came late has failed at once, and with it the run.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import { join } from "node:path";
import { findChromium } from "./stack/chromium.ts";
import { findNatsServer } from "./stack/nats.ts";
import { postgresHome } from "./stack/postgres.ts";
import { findRedisServer } from "./stack/redis.ts";
import { wholeEnvironment } from "./stack/tools.ts";
import { add, countsOf, filesAgain, seedVariable } from "./test/counts.ts";

const root = join(import.meta.dirname, "..");
const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
/** The same one for a file that is run once more. */
const seed = { [seedVariable]: String(Math.floor(Math.random() * 1_000_000)) };

interface Part {
  code: number;
  output: string;
}

/** Told to end: what runs ends its servers, and nothing more is begun. */
let interrupted = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    interrupted = 128 + constants.signals[signal];
  });

/** Runs mocha with these arguments. What it says goes to the terminal, is shown as it comes and kept, or is only kept. */
async function run(args: readonly string[], said: "terminal" | "shown" | "kept"): Promise<Part> {
  if (interrupted > 0) return { code: interrupted, output: "" };
  const out = said === "terminal" ? "inherit" : "pipe";
  const child = spawn(process.execPath, [mocha, ...args], {
    cwd: root,
    env: wholeEnvironment(seed),
    stdio: ["inherit", out, out],
  });
  // Mocha ends its servers on these; we wait for it. A terminal sends Ctrl-C to it too.
  const interrupt = () => process.stdin.isTTY || child.kill("SIGINT");
  const terminate = () => child.kill("SIGINT");
  process.on("SIGINT", interrupt).on("SIGTERM", terminate);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (said === "shown") process.stdout.write(text);
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? 128 + constants.signals[signal!]));
  });
  process.off("SIGINT", interrupt).off("SIGTERM", terminate);
  return { code, output };
}

/** All tests, dealt out to so many processes; ends with the sums of what they count. */
async function runAll(flags: readonly string[], processes: number): Promise<number> {
  // Fetched once, not by each of them at the same time.
  const log = (line: string) => console.log(`# ${line}`);
  const stackDir = join(root, ".stack");
  await Promise.all([findNatsServer(stackDir, log), findRedisServer(log).then(() => findChromium(log))]);
  postgresHome(root, stackDir, log);
  const [last, files] = ["test/fault/**/*.test.ts", "test/{tidy,{unit,mesh,regression}/**/*}.test.ts"].map((pattern) =>
    globSync(pattern, { cwd: root }).sort(),
  ) as [string[], string[]];
  const parts = Array.from({ length: processes }, (_, n) => files.filter((_, at) => at % processes === n));
  const runs = parts.map((part, n) => run([...part, ...flags], n === 0 ? "shown" : "kept"));
  runs.push(Promise.race(runs).then(() => run([...last, ...flags], "kept")));
  const all = countsOf("");
  let code = 0;
  let isBroken = false;
  for (const [n, each] of runs.entries()) {
    const part = await each;
    if (n > 0) process.stdout.write(part.output);
    const counts = countsOf(part.output);
    add(all, counts);
    code ||= part.code;
    isBroken ||= counts.failures.length !== counts.failed || (part.code !== 0 && counts.failed === 0);
  }
  const again = filesAgain(all.failures);
  if (again.length === 0) for (const text of all.failures) console.log(`failed: ${text}`);
  else {
    console.log(`\nonce more, alone: ${again.join(", ")}\n`);
    const alone = await run([...again, ...flags], "shown");
    const counts = countsOf(alone.output);
    for (const text of all.failures) console.log(`failed beside others: ${text}`);
    // What failed twice has failed; so has a run that broke off, whatever it had counted.
    if (alone.code === 0 && !isBroken) {
      all.passed += all.failed;
      all.failed = 0;
      code = 0;
    }
    for (const text of counts.failures) console.log(`failed: ${text}`);
  }
  console.log(`${all.passed} passed, ${all.failed} failed, ${all.skipped} skipped`);
  return code;
}

const given = process.argv.slice(2);
const isAll = !given.some((arg) => arg.endsWith(".test.ts"));
process.exitCode = isAll
  ? await runAll(given, Math.min(2, availableParallelism()))
  : (await run(given, "terminal")).code;

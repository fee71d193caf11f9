/**
 * `npm start`: private servers, the mesh on them, a sample of leads through every stage; stays until Ctrl-C.
 * docs/start.md says what it does and where things lie.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { loadSettings, ownVariables, type Settings } from "../config/settings.ts";
import { demoKey } from "./stack/api-key.ts";
import { type StartFlags, startFlags, startUsage } from "./stack/flags.ts";
import { followUntilUp } from "./stack/follow.ts";
import { Stack, Stopped } from "./stack/stack.ts";
import { claimFolder, enter, readState } from "./stack/state.ts";
import { childEnvironment } from "./stack/tools.ts";

/** Another start has this stack. */
const exitOwned = 3;
/** What a shell calls a process that Ctrl-C ended. */
const exitInterrupted = 130;

const began = performance.now();
const log = (line: string) => console.log(`${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}`);

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  return 1;
});

async function main(args: string[]): Promise<number> {
  let flags: StartFlags;
  try {
    flags = startFlags(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${startUsage}`);
    return 2;
  }
  const env = ownVariables();
  loadSettings(env);
  for (const name of ["LEADS_NATS_URL", "LEADS_REDIS_URL", "LEADS_DATABASE_URL"])
    if (env[name] !== undefined) log(`${name} is set aside: npm start uses servers of its own (docs/start.md)`);
  claimFolder(flags.dir);

  const leave = await enter(flags.dir);
  if (!leave) return sayOwned(flags);
  if (flags.detach && !flags.background) {
    leave();
    return detach(flags, args);
  }
  try {
    return await run(flags, env);
  } finally {
    leave();
  }
}

function sayOwned({ dir, once }: StartFlags): number {
  const { apiUrl, phase, starter } = readState(dir);
  console.log(
    apiUrl === undefined
      ? `another npm start (process ${starter?.pid}) is bringing this up`
      : `it runs already (${phase}): the API is at ${apiUrl}; npm stop ends it`,
  );
  return once || apiUrl === undefined ? exitOwned : 0;
}

async function run(flags: StartFlags, env: Record<string, string | undefined>): Promise<number> {
  const stack = new Stack(flags.dir, log);
  const interrupted = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Twice is common: a terminal tells us, and npm passes its own on.
      interrupted.resolve();
      void stack.stop();
    });
  }
  try {
    await stack.clean();
    const settings = await stack.startServers(env);
    const apiUrl = await stack.startMesh(settings, flags.separate);
    const apiKey = await demoKey(settings, flags.dir);
    console.log(`\n  the API is at  ${apiUrl}\n  with the key   ${apiKey}\n`);
    const ok = !flags.sample || (await sample(stack, { settings, apiUrl, apiKey, stackDir: flags.dir, log }));
    if (flags.once) return ok ? 0 : 1;
    stack.setPhase("up");
    if (!flags.background) console.log("\n  it stays up until Ctrl-C; npm run repl joins it\n");
    // Everything we started keeps no event loop alive, and we are to stay.
    const stay = setInterval(() => {}, 60_000);
    await interrupted.promise;
    clearInterval(stay);
    return 0;
  } catch (error) {
    if (error instanceof Stopped || (await wasInterrupted(interrupted.promise))) return exitInterrupted;
    throw error;
  } finally {
    console.log("stopping");
    await stack.stop();
  }
}

/** What breaks while a stop is under way breaks because of it. */
function wasInterrupted(interrupted: Promise<void>): Promise<boolean> {
  return Promise.race([interrupted.then(() => true), new Promise<boolean>((r) => setImmediate(r, false))]);
}

interface Demo {
  runDemo(options: {
    settings: Settings;
    apiUrl: string;
    apiKey: string;
    stackDir: string;
    log: (line: string) => void;
  }): Promise<{ ok: boolean }>;
}

async function sample(stack: Stack, options: Parameters<Demo["runDemo"]>[0]): Promise<boolean> {
  stack.setPhase("sample");
  const { runDemo } = (await import("./demo/demo.ts" as string)) as Demo;
  const { ok } = await runDemo(options);
  return ok;
}

/** Starts ourselves anew in a session of its own, shows what it says until it is up, and leaves it. */
async function detach({ dir }: StartFlags, args: string[]): Promise<number> {
  const output = join(dir, "start.log");
  const out = openSync(output, "w", 0o600);
  const child = spawn(process.execPath, [import.meta.filename, ...args, "--background"], {
    detached: true,
    stdio: ["ignore", out, out],
    cwd: join(import.meta.dirname, ".."),
    env: { ...childEnvironment(), ...ownVariables() },
  });
  closeSync(out);
  return followUntilUp(child, dir, output);
}

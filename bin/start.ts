/**
 * `npm start`: private servers, the mesh on them, a sample of leads through every stage; stays until Ctrl-C.
 * docs/start.md says what it does and where things lie.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { environmentOf, loadSettings, ownVariables, type Settings } from "../config/settings.ts";
import { outliveOutput } from "../mixins/log.ts";
import type { runDemo } from "./demo/demo.ts";
import { demoKey } from "./stack/api-key.ts";
import { type StartFlags, startFlags, startUsage } from "./stack/flags.ts";
import { followUntilUp } from "./stack/follow.ts";
import { Stack, Stopped } from "./stack/stack.ts";
import { claimFolder, enter, ownerOf, readState } from "./stack/state.ts";

type DemoOptions = Parameters<typeof runDemo>[0];

/** Another start has this stack. */
const exitOwned = 3;
/** What a shell calls a process that Ctrl-C ended. */
const exitInterrupted = 130;

const began = performance.now();
const log = (line: string) => console.log(`${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}`);

outliveOutput();
// Said outright: what a stop cut short may still hold the event loop.
process.exit(
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(error.message);
    return 1;
  }),
);

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
  if (env["LEADS_LANES"] !== undefined) {
    log("LEADS_LANES is set aside: npm start sees to both lanes (docs/start.md)");
    delete env["LEADS_LANES"];
  }
  // The sample is made up: nobody is written to, now or when these e-mails are found in the outbox later.
  for (const name of ["LEADS_SMTP_URL", "LEADS_SENDGRID_KEY", "LEADS_POSTAL_ADDRESS"]) {
    if (!flags.sample || env[name] === undefined) continue;
    log(`${name} is set aside: the sample's e-mails are not sent (-- --no-sample takes it)`);
    delete env[name];
  }
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
  const { apiUrl, phase } = readState(dir);
  console.log(
    apiUrl === undefined
      ? `another npm start (process ${ownerOf(dir)?.pid}) is at work here`
      : `it runs already (${phase}): the API is at ${apiUrl}; npm stop ends it`,
  );
  return once || apiUrl === undefined ? exitOwned : 0;
}

async function run(flags: StartFlags, env: Record<string, string | undefined>): Promise<number> {
  const stack = new Stack(flags.dir, log);
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => {});
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Twice is common: a terminal tells us, and npm passes its own on.
    process.on(signal, () => interrupted.reject(new Stopped(signal)));
  }
  let isUp = false;
  try {
    const ok = await Promise.race([bringUp(stack, flags, env), interrupted.promise]);
    if (flags.once) return ok ? 0 : 1;
    stack.setPhase("up");
    isUp = true;
    if (!flags.background) console.log("\n  it stays up until Ctrl-C; npm run repl joins it\n");
    // What we started keeps no event loop alive, and we are to stay.
    const stay = setInterval(() => {}, 60_000);
    await interrupted.promise.finally(() => clearInterval(stay));
    return 0;
  } catch (error) {
    if (error instanceof Stopped) return isUp ? 0 : exitInterrupted;
    throw error;
  } finally {
    console.log("stopping");
    await stack.stop();
  }
}

/** Everything up to the end of the sample; says whether that was as it should be. */
async function bringUp(stack: Stack, flags: StartFlags, env: Record<string, string | undefined>): Promise<boolean> {
  await stack.clean();
  const served = await stack.startServers(env);
  // Before the mesh, which tells its spans to one of them from the first on.
  const observers = flags.observe ? await stack.startObservers(served) : new Map<string, string>();
  const settings = traced(served, observers.get("zipkin"));
  const apiUrl = await stack.startMesh(settings, flags.separate);
  const apiKey = await demoKey(settings, flags.dir);
  console.log(`\n  the API is at  ${apiUrl}\n  the console    ${apiUrl}/console\n  with the key   ${apiKey}`);
  for (const [name, url] of observers) if (!name.endsWith("-exporter")) console.log(`  ${name.padEnd(14)} ${url}`);
  console.log();
  return !flags.sample || sample(stack, { settings, apiUrl, apiKey, stackDir: flags.dir, log });
}

/** The settings of a mesh that exports all traces to this Zipkin, where there is one and none was named. */
function traced(settings: Settings, zipkin: string | undefined): Settings {
  if (zipkin === undefined || settings.zipkinUrl !== "") return settings;
  return loadSettings({ ...environmentOf(settings), LEADS_ZIPKIN_URL: zipkin, LEADS_TRACE_SHARE: "1" });
}

/** The sample's code is loaded only when it is wanted. */
async function sample(stack: Stack, options: DemoOptions): Promise<boolean> {
  stack.setPhase("sample");
  const { runDemo } = await import("./demo/demo.ts");
  const { ok } = await runDemo(options);
  return ok;
}

/**
 * Starts ourselves anew in a session of its own, shows what it says until it is up, and leaves it. With all of our
 * environment: it fetches what is missing, by the proxies, registries and caches that are set.
 */
async function detach({ dir }: StartFlags, args: string[]): Promise<number> {
  const output = join(dir, "start.log");
  const out = openSync(output, "w", 0o600);
  const child = spawn(process.execPath, [import.meta.filename, ...args, "--background"], {
    detached: true,
    stdio: ["ignore", out, out],
    cwd: join(import.meta.dirname, ".."),
  });
  closeSync(out);
  return followUntilUp(child, dir, output);
}

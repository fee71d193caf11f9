import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StageConfig } from "../../config/pipeline.ts";
import { environmentOf, type Settings } from "../../config/settings.ts";
import { eventually } from "./eventually.ts";
import { trackLeak } from "./leaks.ts";
import type { WorkerPlan } from "./worker.ts";

/** A process of test/support/worker.ts. */
export interface Child extends AsyncDisposable {
  process: ChildProcess;
  /** What it said, a line each. */
  lines: string[];
  /** Its exit code, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>;
}

interface ChildOptions {
  /** Settings by their `LEADS_` names. */
  env?: Record<string, string>;
  /** Until it works. */
  wait?: boolean;
  /** Another pipeline than the product's; of a process with one service. */
  flow?: readonly StageConfig[];
}

/** Starts a worker process and waits until it works. */
export const startWorker = (settings: Settings, plan: WorkerPlan, options?: ChildOptions): Promise<Child> =>
  start(settings, "worker.ts", JSON.stringify(plan), options);

/** Starts a process with one service, by its path from the project's root. */
export const startService = (settings: Settings, service: string, options?: ChildOptions): Promise<Child> =>
  start(settings, "one-service.ts", service, options);

/** Starts a process of test/support/counting.ts. */
export const startCounting = (settings: Settings): Promise<Child> => start(settings, "counting.ts", "");

async function start(
  settings: Settings,
  script: string,
  argument: string,
  { env = {}, wait = true, flow }: ChildOptions = {},
): Promise<Child> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, script), argument, ...(flow ? [JSON.stringify(flow)] : [])],
    {
      env: { PATH: process.env.PATH, ...environmentOf(settings), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const untrack = trackLeak("a worker process");
  const lines: string[] = [];
  let errors = "";
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const exited = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once("exit", (code, signal) => {
      untrack();
      resolve(signal ?? code!);
    }),
  );
  const started: Child = {
    process: child,
    lines,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
  if (wait)
    await eventually(
      "the worker is ready",
      () => {
        if (child.exitCode !== null) throw new Error(`it ended: ${errors}`);
        return lines.includes("ready");
      },
      { withinMs: 30_000 },
    );
  return started;
}

/** A file for ended leads' ids; what it holds survives the processes that write it. */
export function recordFile(): Disposable & { path: string; ids(): string[] } {
  const dir = mkdtempSync(join(tmpdir(), "leadfactory-record-"));
  const path = join(dir, "ids");
  return {
    path,
    ids: () => (existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : []),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

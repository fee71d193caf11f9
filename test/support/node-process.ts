import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { runnerArguments } from "../../bin/stack/runner.ts";
import { childEnvironment } from "../../bin/stack/tools.ts";
import { environmentOf, type Settings } from "../../config/settings.ts";
import { trackLeak } from "./leaks.ts";
import { guarded } from "./servers.ts";

const root = join(import.meta.dirname, "..", "..");

/** A process of the mesh, run as `npm start` runs it. */
export interface NodeProcess extends AsyncDisposable {
  process: ChildProcess;
  /** All that it wrote so far, to both of its outputs. */
  output(): string;
  /** SIGTERM; resolves with its exit code, or the signal that ended it. */
  stop(): Promise<number | NodeJS.Signals>;
}

/** Starts these service files in one process. `env` are settings by their `LEADS_` names. Wait for the services by a broker. */
export function startNode(settings: Settings, files: string[], env: Record<string, string> = {}): NodeProcess {
  const child = spawn(process.execPath, runnerArguments(files), {
    cwd: root,
    env: { ...childEnvironment(), ...environmentOf(settings), ...env },
    // In a session of its own, as there: Linux shares processors among sessions.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const release = child.pid === undefined ? () => {} : guarded(child.pid);
  const untrack = trackLeak("a process of the mesh");
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const exited = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once("close", (code, signal) => {
      untrack();
      release();
      resolve(signal ?? code!);
    }),
  );
  return {
    process: child,
    output: () => output,
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

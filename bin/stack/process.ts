import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A process of ours, as `.stack/state.json` lists it. */
export interface ProcessRecord {
  name: string;
  pid: number;
  /** When the process began, as the system counts it: a pid is used again by others, a pid with its birth is not. */
  birth: string;
  url?: string;
  /** Where it keeps its data. */
  dataDir?: string;
  /** Where its output goes. */
  log?: string;
  /** The signal that ends it in order; SIGTERM where it says nothing. */
  stopSignal?: NodeJS.Signals;
}

/** The birth of a running process; undefined when there is none (a zombie is none). */
export function birthOf(pid: number): string | undefined {
  if (process.platform === "linux") {
    try {
      // The name in brackets may hold spaces and brackets: fields count from the last one (proc_pid_stat(5)).
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z" || fields[0] === "X") return undefined;
      return `${bootId()}:${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return line === "" || line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "");
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8);
  } catch {
    return "boot";
  }
}

export function isRunning(record: Pick<ProcessRecord, "pid" | "birth">): boolean {
  return birthOf(record.pid) === record.birth;
}

export interface Launched {
  child: ChildProcess;
  pid: number;
  birth: string;
  /** Resolves when the process has ended, with what it ended with. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Starts a process in a session of its own (a Ctrl-C at our terminal does not reach it: we end it, in our order), its
 * output going to `log`. It does not keep our event loop alive. `onSpawn` is called in the same breath, so that its
 * starter can note it before anything else happens; where it throws, the process is ended: nobody would know of it. Throws
 * when it cannot be started at all.
 */
export async function launch(
  command: string,
  args: string[],
  { log, onSpawn, ...options }: SpawnOptions & { log: string; onSpawn?(pid: number, birth: string): void },
): Promise<Launched> {
  const out = openSync(log, "a", 0o600);
  try {
    const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", out, out] });
    const { pid } = child;
    const birth = pid === undefined ? "" : (birthOf(pid) ?? "");
    try {
      if (pid !== undefined) onSpawn?.(pid, birth);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
    return { child, pid: pid!, birth, ended };
  } finally {
    closeSync(out);
  }
}

/**
 * Processes whose environment says `STACK_DIR=<dir>`: those of a starter that was killed in the moment between making
 * and noting them. Linux only; elsewhere the list in the state is all there is.
 */
export function findMarked(dir: string): ProcessRecord[] {
  if (process.platform !== "linux") return [];
  const found: ProcessRecord[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`${stackMark}=${dir}`)) continue;
    } catch {
      continue; // Not ours to read, or gone.
    }
    const birth = birthOf(pid);
    if (birth !== undefined) found.push({ name: "unlisted", pid, birth });
  }
  return found;
}

/** The variable that marks the processes of a stack. */
export const stackMark = "STACK_DIR";

/** Sends a signal to a process of ours; nothing when it has ended, or its pid belongs to another by now. */
export function signal(record: Pick<ProcessRecord, "pid" | "birth">, name: NodeJS.Signals): boolean {
  if (!isRunning(record)) return false;
  try {
    process.kill(record.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Ends a process: `first`, and after `graceMs` SIGKILL. Returns how it went. */
export async function end(
  record: Pick<ProcessRecord, "pid" | "birth">,
  graceMs: number,
  first: NodeJS.Signals = "SIGTERM",
): Promise<"was not running" | "ended" | "killed"> {
  if (!signal(record, first)) return "was not running";
  if (await gone(record, graceMs)) return "ended";
  signal(record, "SIGKILL");
  if (await gone(record, 10_000)) return "killed";
  throw new Error(`process ${record.pid} does not end, not even by SIGKILL`);
}

async function gone(record: Pick<ProcessRecord, "pid" | "birth">, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isRunning(record)) {
    if (performance.now() > deadline) return false;
    await delay(20);
  }
  return true;
}

/** A TCP port of the loopback that nobody listens on right now; `wanted` when that is one. */
export async function freePort(wanted = 0): Promise<number> {
  const tryPort = (port: number) =>
    new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
        const { port: got } = server.address() as { port: number };
        server.close(() => resolve(got));
      });
    });
  if (wanted !== 0) {
    try {
      return await tryPort(wanted);
    } catch {
      // Someone else has it by now.
    }
  }
  return tryPort(0);
}

/** Polls until `check` says true; throws what `failed` says (or a timeout) when it does not within the deadline. */
export async function until(
  what: string,
  deadlineMs: number,
  check: () => Promise<boolean>,
  failed: () => string | undefined = () => undefined,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    if (await check()) return;
    const why = failed();
    if (why !== undefined) throw new Error(`${what}: ${why}`);
    if (performance.now() > deadline) throw new Error(`${what} within ${deadlineMs} ms: no`);
    await delay(25);
  }
}

/** The end of a log, to say why a server did not start. */
export function tail(file: string, lines = 12): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } catch {
    return "";
  }
}

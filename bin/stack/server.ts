import { mkdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import {
  birthOf,
  end,
  freePort,
  isRunning,
  type Launched,
  launch,
  type ProcessRecord,
  signal,
  tail,
  until,
} from "./process.ts";
import { childEnvironment } from "./tools.ts";

/** Where one server stands. */
export interface Place {
  port: number;
  dataDir: string;
}

/** A kind of server: how it is started, how one knows that it is ready, how it is stopped. */
export interface ServerKind {
  name: string;
  command(place: Place): {
    file: string;
    args: string[];
    argv0?: string;
    uid?: number;
    gid?: number;
    env?: Record<string, string>;
  };
  url(place: Place): string;
  stopSignal: NodeJS.Signals;
  /** How long it may take to answer, ms; 30 s where it says nothing. */
  readyWithinMs?: number;
  /** Does it answer as it should? May throw while it does not. */
  isReady(url: string): Promise<boolean>;
  /** Makes the data directory what the server needs; called before every start. Default: makes the folder. */
  prepare?(dataDir: string): Promise<void>;
}

export interface ServerOptions {
  dataDir: string;
  /** Its output. */
  log: string;
  /** Taken when it is free. */
  port?: number;
  /** Added to its environment. */
  env?: Record<string, string>;
  /** Called as soon as the process is there, before it is ready. */
  onSpawn?(record: ProcessRecord): void;
}

/** A private server on a port of its own: starts, stops, dies and comes back on the same port with the same data. */
export class Server {
  readonly kind: ServerKind;
  readonly #options: ServerOptions;
  #port = 0;
  #process: Launched | undefined;

  constructor(kind: ServerKind, options: ServerOptions) {
    this.kind = kind;
    this.#options = options;
  }

  get url(): string {
    return this.kind.url(this.#place);
  }
  get port(): number {
    return this.#port;
  }
  get dataDir(): string {
    return this.#options.dataDir;
  }
  get pid(): number | undefined {
    return this.#process?.pid;
  }
  get isRunning(): boolean {
    return this.#process !== undefined && isRunning(this.#process);
  }
  /** Resolves when the process that was started last has ended, by whomever. */
  get ended(): Promise<unknown> {
    return this.#process?.ended ?? Promise.resolve();
  }
  get #place(): Place {
    return { port: this.#port, dataDir: this.#options.dataDir };
  }

  /** Starts it and waits until it answers. A port that another took in the meantime is given up for a new one, once it has none of its own. */
  async start(): Promise<void> {
    const { dataDir, log } = this.#options;
    const orphan = holderOf(this.kind.name, dataDir);
    if (orphan) await end(orphan, 20_000, orphan.stopSignal);
    if (this.kind.prepare) await this.kind.prepare(dataDir);
    else mkdirSync(dataDir, { recursive: true });
    const fixed = this.#port !== 0;
    for (let attempt = 1; ; attempt++) {
      if (!fixed) this.#port = await freePort(attempt === 1 ? this.#options.port : 0);
      try {
        return await this.#startOnce(log);
      } catch (error) {
        await this.stop(0);
        if (attempt === 3) throw error;
      }
    }
  }

  async #startOnce(log: string): Promise<void> {
    const place = this.#place;
    const { file, args, env = {}, ...spawn } = this.kind.command(place);
    const launched = await launch(file, args, {
      ...spawn,
      log,
      cwd: place.dataDir,
      env: { ...childEnvironment(), ...env, ...this.#options.env },
      onSpawn: (pid, birth) =>
        this.#options.onSpawn?.({
          ...{ name: this.kind.name, pid, birth, url: this.url, dataDir: place.dataDir, log },
          stopSignal: this.kind.stopSignal,
        }),
    });
    this.#process = launched;
    await until(
      `${this.kind.name} answers`,
      this.kind.readyWithinMs ?? 30_000,
      // Another's server on this port would answer too, while ours has ended for want of it.
      async () => (await this.kind.isReady(this.url).catch(() => false)) && isRunning(launched),
      () => (isRunning(launched) ? undefined : `it ended at once; the end of ${log}:\n${tail(log)}`),
    );
  }

  /** Ends it in order, by force after `graceMs`. */
  async stop(graceMs = 20_000): Promise<void> {
    if (this.#process) await end(this.#process, graceMs, graceMs === 0 ? "SIGKILL" : this.kind.stopSignal);
    this.#process = undefined;
  }

  /** SIGKILL, as a crash would; returns when it is gone. */
  async kill(): Promise<void> {
    await this.stop(0);
  }

  /** SIGSTOP: it keeps its connections and says nothing more. */
  freeze(): void {
    if (this.#process) signal(this.#process, "SIGSTOP");
  }

  thaw(): void {
    if (this.#process) signal(this.#process, "SIGCONT");
  }
}

/** The server that holds this data directory, by its own pid file: its starter may have died before it could note it. */
export function holderOf(name: string, dataDir: string): ProcessRecord | undefined {
  const stopSignal = name === "postgres" ? "SIGINT" : "SIGTERM";
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(join(dataDir, name === "postgres" ? "postmaster.pid" : "pid"), "utf8"), 10);
  } catch {
    return undefined;
  }
  const birth = Number.isInteger(pid) && pid > 1 ? birthOf(pid) : undefined;
  return birth !== undefined && speaksOf(pid, dataDir) ? { name, pid, birth, dataDir, stopSignal } : undefined;
}

/** Does the process work in this data directory? A pid file may outlive its process, and the pid go to another. */
function speaksOf(pid: number, dataDir: string): boolean {
  try {
    if (process.platform !== "linux") return true;
    return (
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(dataDir) || readlinkSync(`/proc/${pid}/cwd`) === dataDir
    );
  } catch {
    return false;
  }
}

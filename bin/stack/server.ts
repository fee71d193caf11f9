import { mkdirSync, readFileSync, readlinkSync } from "node:fs";
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
  /** Where it writes its own pid: the way to find one whose starter died before it could note it. */
  pidFile(place: Place): string;
  url(place: Place): string;
  stopSignal: NodeJS.Signals;
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
  get #place(): Place {
    return { port: this.#port, dataDir: this.#options.dataDir };
  }

  /** Starts it and waits until it answers. A port that another took in the meantime is given up for a new one, once it has none of its own. */
  async start(): Promise<void> {
    const { dataDir, log } = this.#options;
    if (this.kind.prepare) await this.kind.prepare(dataDir);
    else mkdirSync(dataDir, { recursive: true });
    await endOrphan(this.kind, this.#place);
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
      env: { PATH: process.env.PATH, ...env },
    });
    this.#process = launched;
    this.#options.onSpawn?.({
      name: this.kind.name,
      pid: launched.pid,
      birth: launched.birth,
      url: this.url,
      dataDir: place.dataDir,
      log,
    });
    await until(
      `${this.kind.name} answers`,
      30_000,
      () => this.kind.isReady(this.url).catch(() => false),
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

/** Ends a server that still holds this data directory: one whose starter was killed before it could note its pid. */
async function endOrphan(kind: ServerKind, place: Place): Promise<void> {
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(kind.pidFile(place), "utf8"), 10);
  } catch {
    return;
  }
  const birth = Number.isInteger(pid) && pid > 1 ? birthOf(pid) : undefined;
  if (birth === undefined || !speaksOf(pid, place.dataDir)) return;
  await end({ pid, birth }, 20_000, kind.stopSignal);
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

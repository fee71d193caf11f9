import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { end, isRunning, type Launched, launch, signal, until } from "../../bin/stack/process.ts";
import { runnerArguments } from "../../bin/stack/runner.ts";
import type { Supervised } from "../../bin/stack/supervisor.ts";
import { childEnvironment } from "../../bin/stack/tools.ts";
import { environmentOf, type Settings } from "../../config/settings.ts";
import { guarded } from "../support/servers.ts";
import { type Clock, clockVariable } from "./clock.ts";
import { Debugger } from "./debugger.ts";
import type { Line } from "./lines.ts";

const root = join(import.meta.dirname, "..", "..");

/**
 * V8's own `gc` is a global of contexts that are made when it is allowed
 * (https://nodejs.org/api/v8.html#v8setflagsfromstringflags): it is taken out of one, and kept.
 */
const collecting = `(globalThis[Symbol.for("gc")] ??= (
  process.getBuiltinModule("v8").setFlagsFromString("--expose-gc"),
  process.getBuiltinModule("vm").runInNewContext("gc")
))()`;

export interface NodeOptions {
  name: string;
  /** Service files, from the root. */
  files: string[];
  settings: Settings;
  clock: Clock;
  /** Its output goes here. */
  log: string;
  /** Its own lines to its servers. */
  lines: Line[];
  /** Modules that are loaded before the product: test/fault/bugs. */
  imports?: string[];
}

/** One process of the mesh under test: run by Moleculer's runner, killed, frozen and cut off by the driver. */
export class MeshProcess implements Supervised {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly #o: NodeOptions;
  #process: Launched | undefined;
  /** Where the output of the process that runs begins in its log, bytes. */
  #from = 0;
  #retired = false;

  constructor(options: NodeOptions) {
    this.name = options.name;
    this.lines = options.lines;
    this.#o = options;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    const { files, settings, clock, log, imports = [] } = this.#o;
    // A debugger is opened by SIGUSR1 alone, on a port of its own.
    const before = ["--inspect-port=0", ...imports.flatMap((file) => ["--import", file])];
    this.#from = existsSync(log) ? statSync(log).size : 0;
    this.#process = await launch(
      process.execPath,
      [...before, ...runnerArguments(files, "test/fault/node.config.ts")],
      {
        log,
        cwd: root,
        env: { ...childEnvironment(), ...environmentOf(settings), ...clockVariable(clock) },
        onSpawn: guarded,
      },
    );
  }

  /** Waits until its services have started. */
  async up(): Promise<void> {
    await until(
      `${this.name} is up`,
      180_000,
      async () => isRunning(this.#process!) && this.#said.includes("started successfully"),
      () => (this.#process?.child.exitCode ? `it ended; see ${this.#o.log}: ${this.#said.slice(-800)}` : undefined),
    );
  }

  get #said(): string {
    return readFileSync(this.#o.log).subarray(this.#from).toString();
  }

  /** Where V8's debugger listens, once it is up. */
  async debugger(): Promise<string> {
    await this.up();
    const url = () => /^Debugger listening on (ws:\S+)$/m.exec(this.#said)?.[1];
    if (url() === undefined) signal(this.#process!, "SIGUSR1");
    await until(`${this.name} takes a debugger`, 30_000, async () => url() !== undefined);
    return url()!;
  }

  /** Has V8 collect the garbage of its heap, as it does by itself when enough has gathered. */
  async collect(): Promise<void> {
    using opened = await Debugger.open(await this.debugger());
    const { exceptionDetails } = await opened.call("Runtime.evaluate", { expression: collecting });
    if (exceptionDetails) throw new Error(`${this.name}: ${exceptionDetails.text}`);
  }

  /** For the supervisor: one that was retired has not died. */
  async ended(): Promise<unknown> {
    await this.#process?.ended;
    return this.#retired ? new Promise(() => {}) : undefined;
  }

  /** SIGKILL. Its supervisor starts it again. */
  async kill(): Promise<void> {
    await end(this.#process!, 0, "SIGKILL");
  }

  freeze(): void {
    signal(this.#process!, "SIGSTOP");
  }
  thaw(): void {
    signal(this.#process!, "SIGCONT");
  }

  /** SIGTERM, for good: it may finish what it has in hand. Resolves when it has left. */
  async retire(): Promise<void> {
    this.#retired = true;
    const { drainMs } = this.#o.settings;
    const how = await end(this.#process!, drainMs + 5_000);
    if (how === "killed") throw new Error(`${this.name} did not leave within ${drainMs + 5_000} ms of SIGTERM`);
  }

  /** Another one in its place: same lines, same port. */
  again(imports: string[]): MeshProcess {
    return new MeshProcess({ ...this.#o, imports });
  }

  /** The end of everything. */
  async destroy(): Promise<void> {
    this.#retired = true;
    if (this.#process) await end(this.#process, 0, "SIGKILL");
  }
}

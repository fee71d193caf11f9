import { Debugger } from "./debugger.ts";
import type { MeshProcess } from "./node.ts";

/** A line of the product at which a process is to stand still. */
export interface Place {
  /** What it has done by then, and has not: "has …, …". */
  what: string;
  /** A path from the root. */
  file: string;
  /** What stands on that line, and on no other of the file. */
  line: string;
  /** Only where this holds; an expression that the line could hold itself. */
  when?: string;
  /** How much is in hand there: such an expression, too. */
  inHand: string;
}

/** Has a process stop at a line. All of it stands still, until it is killed or the breakpoint is disposed of. */
export class Breakpoint implements Disposable {
  readonly #debugger: Debugger;
  readonly #paused: Promise<{ callFrameId: string }>;
  readonly #place: Place;

  private constructor(opened: Debugger, paused: Promise<{ callFrameId: string }>, place: Place) {
    this.#debugger = opened;
    this.#paused = paused;
    this.#place = place;
  }

  /** Resolves when no process can pass the line any more. */
  static async set(node: MeshProcess, place: Place): Promise<Breakpoint> {
    const scripts = new Map<string, string>();
    const paused = Promise.withResolvers<{ callFrameId: string }>();
    paused.promise.catch(() => {});
    const opened = await Debugger.open(await node.debugger(), {
      onEvent(method, params) {
        if (method === "Debugger.scriptParsed") scripts.set(params.url, params.scriptId);
        if (method === "Debugger.paused") paused.resolve(params.callFrames[0]);
      },
      onClosed: () => paused.reject(new Error(`the process ended before it stopped at ${place.line}`)),
    });
    try {
      await setAt(opened, scripts, place);
      return new Breakpoint(opened, paused.promise, place);
    } catch (error) {
      opened[Symbol.dispose]();
      throw error;
    }
  }

  /** Waits until the process stands at the line; answers what it has in hand there. */
  async reached(withinMs: number): Promise<number> {
    const { what, inHand } = this.#place;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no process ${what} within ${withinMs} ms`)), withinMs);
    const { callFrameId } = await Promise.race([this.#paused, late.promise]).finally(() => clearTimeout(timer));
    const evaluated = await this.#debugger.call("Debugger.evaluateOnCallFrame", { callFrameId, expression: inHand });
    const { result, exceptionDetails } = evaluated;
    if (exceptionDetails) throw new Error(`a process that ${what} knows no ${inHand}: ${result.description}`);
    return Number(result.value);
  }

  /** A process that still stands there goes on. */
  [Symbol.dispose](): void {
    this.#debugger[Symbol.dispose]();
  }
}

async function setAt(
  opened: Debugger,
  scripts: ReadonlyMap<string, string>,
  { file, line, when }: Place,
): Promise<void> {
  // Names every script before it answers.
  await opened.call("Debugger.enable");
  const scriptId = [...scripts].find(([url]) => url.endsWith(`/${file}`))?.[1];
  if (scriptId === undefined) throw new Error(`${file} is not loaded`);
  const { result } = await opened.call("Debugger.searchInContent", { scriptId, query: line });
  if (result.length !== 1) throw new Error(`${file}: there is no one line with "${line}"`);
  const location = { scriptId, lineNumber: result[0].lineNumber };
  await opened.call("Debugger.setBreakpoint", { location, ...(when && { condition: when }) });
}

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

/** How long a debugger may take to answer, ms. */
const answerMs = 30_000;

/**
 * Has a process stop at a line, by V8's own debugger, which it opens when it is told to: what runs is the product, as it
 * is. All of the process stands still, until it is killed or the breakpoint is disposed of.
 */
export class Breakpoint implements Disposable {
  readonly #socket: WebSocket;
  readonly #calls = new Map<number, PromiseWithResolvers<any>>();
  readonly #scripts = new Map<string, string>();
  readonly #paused = Promise.withResolvers<{ callFrameId: string }>();
  readonly #place: Place;
  #called = 0;

  private constructor(socket: WebSocket, place: Place) {
    this.#socket = socket;
    this.#place = place;
    this.#paused.promise.catch(() => {});
    socket.addEventListener("message", ({ data }) => this.#heard(JSON.parse(data as string)));
    socket.addEventListener("close", () =>
      this.#fail(new Error(`the process ended before it stopped at ${place.line}`)),
    );
  }

  /** Resolves when no process can pass the line any more. */
  static async set(node: MeshProcess, place: Place): Promise<Breakpoint> {
    const socket = new WebSocket(await node.debugger());
    const opened = Promise.withResolvers<void>();
    socket.addEventListener("open", () => opened.resolve());
    socket.addEventListener("error", () => opened.reject(new Error(`${node.name} takes no debugger`)));
    await opened.promise;
    const point = new Breakpoint(socket, place);
    try {
      await point.#set();
      return point;
    } catch (error) {
      point[Symbol.dispose]();
      throw error;
    }
  }

  /** https://chromedevtools.github.io/devtools-protocol/v8/Debugger/ */
  async #set(): Promise<void> {
    const { file, line, when } = this.#place;
    // Names every script before it answers.
    await this.#call("Debugger.enable");
    const scriptId = [...this.#scripts].find(([url]) => url.endsWith(`/${file}`))?.[1];
    if (scriptId === undefined) throw new Error(`${file} is not loaded`);
    const { result } = await this.#call("Debugger.searchInContent", { scriptId, query: line });
    if (result.length !== 1) throw new Error(`${file}: there is no one line with "${line}"`);
    const location = { scriptId, lineNumber: result[0].lineNumber };
    await this.#call("Debugger.setBreakpoint", { location, ...(when && { condition: when }) });
  }

  /** Waits until the process stands at the line; answers what it has in hand there. */
  async reached(withinMs: number): Promise<number> {
    const { what, inHand } = this.#place;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no process ${what} within ${withinMs} ms`)), withinMs);
    const { callFrameId } = await Promise.race([this.#paused.promise, late.promise]).finally(() => clearTimeout(timer));
    const { result } = await this.#call("Debugger.evaluateOnCallFrame", { callFrameId, expression: inHand });
    return Number(result.value);
  }

  #call(method: string, params: object = {}): Promise<any> {
    const id = ++this.#called;
    const call = Promise.withResolvers<any>();
    this.#calls.set(id, call);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const late = setTimeout(() => call.reject(new Error(`${method}: no answer`)), answerMs);
    return call.promise.finally(() => clearTimeout(late));
  }

  #heard({ id, method, params, result, error }: any): void {
    if (method === "Debugger.scriptParsed") this.#scripts.set(params.url, params.scriptId);
    if (method === "Debugger.paused") this.#paused.resolve(params.callFrames[0]);
    if (error) this.#calls.get(id)?.reject(new Error(error.message));
    else this.#calls.get(id)?.resolve(result);
  }

  #fail(error: Error): void {
    this.#paused.reject(error);
    for (const call of this.#calls.values()) call.reject(error);
  }

  /** A process that still stands there goes on. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

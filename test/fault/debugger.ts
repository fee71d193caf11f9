/** How long a debugger may take to answer, ms. */
const answerMs = 30_000;

/**
 * A connection to V8's own debugger in a process, as it is opened by SIGUSR1: what runs is the product, as it is.
 * https://chromedevtools.github.io/devtools-protocol/v8/
 */
export class Debugger implements Disposable {
  readonly #socket: WebSocket;
  readonly #calls = new Map<number, PromiseWithResolvers<any>>();
  #called = 0;

  private constructor(socket: WebSocket, onEvent: (method: string, params: any) => void, onClosed: () => void) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, method, params, result, error } = JSON.parse(data as string);
      if (method) onEvent(method, params);
      else if (error) this.#calls.get(id)?.reject(new Error(error.message));
      else this.#calls.get(id)?.resolve(result);
    });
    socket.addEventListener("close", () => {
      for (const call of this.#calls.values()) call.reject(new Error("the process ended"));
      onClosed();
    });
  }

  /** Throws where nothing answers at the address. */
  static async open(
    url: string,
    {
      onEvent = () => {},
      onClosed = () => {},
    }: { onEvent?: (method: string, params: any) => void; onClosed?: () => void } = {},
  ): Promise<Debugger> {
    const socket = new WebSocket(url);
    const opened = Promise.withResolvers<void>();
    socket.addEventListener("open", () => opened.resolve());
    socket.addEventListener("error", () => opened.reject(new Error(`no debugger answers at ${url}`)));
    await opened.promise;
    return new Debugger(socket, onEvent, onClosed);
  }

  /** Throws what the debugger refuses, and when it does not answer or its process ends. */
  async call(method: string, params: object = {}): Promise<any> {
    const id = ++this.#called;
    const call = Promise.withResolvers<any>();
    this.#calls.set(id, call);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const late = setTimeout(() => call.reject(new Error(`${method}: no answer`)), answerMs);
    try {
      return await call.promise;
    } finally {
      clearTimeout(late);
      this.#calls.delete(id);
    }
  }

  /** A process that stands at a breakpoint goes on. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

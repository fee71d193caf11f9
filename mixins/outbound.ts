import type { IncomingHttpHeaders } from "node:http";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Dispatcher } from "undici";

/** An answer as it was sent. */
export interface Sent {
  status: number;
  headers: IncomingHttpHeaders;
  /** What was read of the body: nothing where it was not wanted. */
  body: Buffer;
  /** There is more of it than was wanted. */
  cut: boolean;
}

/** How much of a body is wanted, bytes; null: nothing of it. */
export type Wanted = (status: number, headers: IncomingHttpHeaders) => number | null;

/**
 * A body that is not wanted is read past when it is as short as this, bytes, so that its connection can be used again: a
 * host that has no robots.txt is asked for its page next, and the handshake of TLS takes both sides milliseconds.
 */
const passedOver = 16_384;

/**
 * Sends a request, and collects of its answer what is `wanted`: by the dispatcher's own events, for a stream a body takes
 * as much of the processor as all the rest of a request. Rejects with undici's error or Node's, or the signal's reason.
 */
export function ask(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  signal: AbortSignal,
  wanted: Wanted,
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(request, new Collector(signal, wanted, resolve, reject));
  });
}

class Collector implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal;
  readonly #wanted: Wanted;
  readonly #resolve: (sent: Sent) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #most: number | null = null;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(signal: AbortSignal, wanted: Wanted, resolve: (sent: Sent) => void, reject: (error: unknown) => void) {
    this.#signal = signal;
    this.#wanted = wanted;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener("abort", this.#abort);
  }

  /** Also while the request waits for a connection. */
  readonly #abort = (): void => {
    this.#reject(this.#signal.reason);
    this.#controller?.abort(this.#signal.reason);
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.#abort();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    [this.#status, this.#headers] = [status, headers];
    this.#most = this.#wanted(status, headers);
    if (this.#most !== null) return;
    const length = headers["content-length"];
    // A short one is waited for, or the next request would find its connection at work; one of unknown length is not.
    if (length === undefined) this.#tell(false);
    else if (Number(length) > passedOver) {
      this.#tell(false);
      controller.abort(unwanted);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#most === null) {
      if (this.#bytes > passedOver) controller.abort(unwanted);
      return;
    }
    const beyond = this.#bytes - this.#most;
    this.#chunks.push(beyond > 0 ? chunk.subarray(0, chunk.length - beyond) : chunk);
    if (beyond <= 0) return;
    this.#tell(true);
    controller.abort(unwanted);
  }

  onResponseEnd(): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.#tell(false);
  }

  /** After the answer was told it changes nothing; nor where only what is not wanted is missing. */
  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#signal.removeEventListener("abort", this.#abort);
    if (this.#status > 0 && this.#most === null) this.#tell(false);
    else this.#reject(error);
  }

  #tell(cut: boolean): void {
    const [status, headers, chunks] = [this.#status, this.#headers, this.#chunks];
    this.#resolve({ status, headers, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), cut });
    this.#chunks = [];
  }
}

const unwanted = new Error("the rest of the answer is not wanted");

/** Codings that {@link inflated} undoes, for `Accept-Encoding`. */
export const codings = "gzip, deflate, br";

/**
 * A body without its Content-Encoding, as far as `most` bytes; `cut` says that there is more. What was sent of it may end
 * in the middle. Throws the inflater's error; null for a coding that is not known.
 */
export async function inflated(
  { body, headers, cut }: Pick<Sent, "body" | "headers" | "cut">,
  most: number,
): Promise<{ body: Buffer; cut: boolean } | null> {
  // A header that is sent twice comes as an array, whatever its type says.
  const coding = String(headers["content-encoding"] ?? "identity")
    .toLowerCase()
    .trim();
  if (coding === "identity" || coding === "") return { body, cut };
  const inflate = inflaters[coding]?.();
  if (!inflate) return null;
  inflate.end(body);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      chunks.push(bytes > most ? chunk.subarray(0, chunk.length - (bytes - most)) : chunk);
      if (bytes > most) return { body: Buffer.concat(chunks), cut: true };
    }
  } catch (error) {
    if (!cut) throw error;
  } finally {
    inflate.destroy();
  }
  return { body: Buffer.concat(chunks), cut };
}

const inflaters: Record<string, (() => ReturnType<typeof createGunzip>) | undefined> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

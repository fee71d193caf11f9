import type { ServerResponse } from "node:http";

/** Something that those who listen may hear of. */
export interface Told {
  /** Name of the event. */
  event: string;
  /** Whose it is; null: everybody's, for platform keys alone. */
  tenant: string | null;
  data: unknown;
}

export interface Listener {
  keyId: string;
  /** Hears of this tenant's. */
  tenant: string;
  /** Hears of everything. */
  platform: boolean;
  /** Is its key still good? */
  isValid(): boolean;
}

interface Stream extends Listener {
  res: ServerResponse;
  /** Events that it missed since it was last in time. */
  missed: number;
  quietSince: number;
}

/** Bytes that wait for one who reads slowly; what comes beyond is left out, and it is told how much. */
const bufferBytes = 65_536;
const heartbeatMs = 15_000;
/** How often keys are looked at: a revoked one is closed within a second of the gateway's learning it. */
const lookMs = 1_000;
/** Streams of one key, and of all. */
export const streamsAKey = 20;
const streamsAll = 2_000;

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): passes on what happens to all who
 * listen and may hear of it. Nothing is kept for those who are away: whoever comes, or is told `missed`, reads the present
 * state by the other operations.
 */
export class EventHub {
  readonly #streams = new Set<Stream>();
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor() {
    this.#timer = setInterval(() => this.#look(), lookMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Is there room for one more of this key? */
  hasRoom(keyId: string): boolean {
    if (this.#closed || this.#streams.size >= streamsAll) return false;
    return [...this.#streams].filter((stream) => stream.keyId === keyId).length < streamsAKey;
  }

  /** Begins to tell; the answer's head is written by now. */
  open(res: ServerResponse, listener: Listener): void {
    const stream: Stream = { ...listener, res, missed: 0, quietSince: Date.now() };
    this.#streams.add(stream);
    res.once("close", () => this.#streams.delete(stream));
    res.write("retry: 2000\n\n");
    res.on("drain", () => this.#tellMissed(stream));
    if (this.#closed) res.end();
  }

  tell({ event, tenant, data }: Told): void {
    if (this.#streams.size === 0) return;
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const stream of this.#streams) {
      if (!stream.platform && tenant !== stream.tenant) continue;
      if (!stream.isValid()) stream.res.end();
      else if (stream.res.writableLength + text.length > bufferBytes) stream.missed++;
      else this.#write(stream, text);
    }
  }

  #tellMissed(stream: Stream): void {
    if (stream.missed === 0) return;
    this.#write(stream, `event: missed\ndata: ${JSON.stringify({ events: stream.missed })}\n\n`);
    stream.missed = 0;
  }

  #write(stream: Stream, text: string): void {
    stream.quietSince = Date.now();
    stream.res.write(text);
  }

  #look(): void {
    const now = Date.now();
    for (const stream of this.#streams) {
      if (!stream.isValid()) stream.res.end();
      else if (now - stream.quietSince < heartbeatMs) continue;
      // Two heartbeats that nobody reads: whoever it was has gone.
      else if (stream.res.writableLength > 0) stream.res.destroy();
      else this.#write(stream, ": still here\n\n");
    }
  }

  /** Ends every stream: the gateway leaves. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { res } of this.#streams) res.end();
  }
}

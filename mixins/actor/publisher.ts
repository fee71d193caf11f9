import { type MsgHdrs, type NatsConnection, nuid, type Status, type Subscription } from "nats";
import { LeadsError, outage } from "../errors.ts";
import { JetStreamError } from "../jetstream.ts";

export interface Ack {
  stream: string;
  seq: number;
  duplicate?: boolean;
}

export interface PublishOptions {
  /** `wait`: a full stream is waited for (between stages); `throw`: it is `MAILBOX_FULL` (at the edge). */
  full: "wait" | "throw";
  /** Gives up with its reason. What was sent may be stored all the same. */
  signal?: AbortSignal;
  /** Gives up with an outage when there is no answer for this long; 0 waits for ever. */
  timeoutMs?: number;
}

interface Pending {
  subject: string;
  data: Uint8Array;
  headers: MsgHdrs;
  options: PublishOptions;
  sentAt: number;
  bornAt: number;
  resolve(ack: Ack): void;
  reject(error: unknown): void;
}

/** JetStream's codes for "no room": messages, bytes, messages a subject, and the store itself. */
const full = new Set([10077, 10167, 10122, 10023, 10047]);
const decoder = new TextDecoder();

/**
 * Publishes to JetStream in a pipeline: plain publishes with one reply inbox whose acknowledgements are counted. Measured
 * at 72,000 to 114,000 a second against 28,000 for `js.publish` (2 cores, 1 kB). What is not acknowledged is sent
 * again with the same `Nats-Msg-Id`: after {@link resendMs}, at once after a reconnect, and later and later while the
 * stream is full.
 */
export class Publisher {
  readonly #nc: NatsConnection;
  readonly #inbox: string;
  readonly #sub: Subscription;
  readonly #pending = new Map<string, Pending>();
  readonly #window: number;
  readonly #room: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #statuses: AsyncIterable<Status> & { stop(): void };
  #sequence = 0;
  #closed = false;

  constructor(nc: NatsConnection, options: { window?: number; resendMs?: number } = {}) {
    const { window = 2_048, resendMs = 3_000 } = options;
    this.#nc = nc;
    this.#window = window;
    this.#inbox = `${inboxPrefix(nc)}.${nuid.next()}`;
    this.#sub = nc.subscribe(`${this.#inbox}.*`, {
      callback: (_error, msg) => {
        const token = msg.subject.slice(this.#inbox.length + 1);
        const pending = this.#pending.get(token);
        if (!pending) return;
        // No data: "no responders", JetStream is not there just now. The sweep sends it again.
        if (msg.data.length === 0) return;
        const answer = JSON.parse(decoder.decode(msg.data));
        if (!answer.error) {
          this.#settle(token);
          pending.resolve(answer);
        } else if (!full.has(answer.error.err_code)) {
          // 503 without being full: no leader just now, or the like. The sweep sends it again.
          if (answer.error.code === 503) return;
          this.#settle(token);
          pending.reject(new JetStreamError(`publish to ${pending.subject}`, answer.error));
        } else if (pending.options.full === "throw") {
          this.#settle(token);
          pending.reject(new LeadsError("MAILBOX_FULL", `${pending.subject} is full`, { subject: pending.subject }));
        } else {
          pending.sentAt = Date.now() - resendMs + fullRetryMs;
        }
      },
    });
    this.#timer = setInterval(() => this.#sweep(resendMs), sweepMs);
    this.#statuses = nc.status() as AsyncIterable<Status> & { stop(): void };
    void this.#watchReconnects();
  }

  /** Resolves when JetStream has stored the message. Waits for its turn when the window is full. */
  async publish(subject: string, data: Uint8Array, headers: MsgHdrs, options: PublishOptions): Promise<Ack> {
    while (this.#pending.size >= this.#window && !this.#closed && !options.signal?.aborted) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
    if (this.#closed || options.signal?.aborted) {
      // Woken for a place that it does not take: the next in line may have it.
      this.#room.shift()?.();
      throw this.#closed ? outage("nats", new Error("the publisher is closed")) : options.signal!.reason;
    }
    return new Promise((resolve, reject) => {
      const token = (this.#sequence++).toString(36);
      const now = Date.now();
      const pending: Pending = { subject, data, headers, options, sentAt: now, bornAt: now, resolve, reject };
      this.#pending.set(token, pending);
      this.#send(token, pending);
    });
  }

  #send(token: string, pending: Pending): void {
    try {
      this.#nc.publish(pending.subject, pending.data, { reply: `${this.#inbox}.${token}`, headers: pending.headers });
    } catch (error) {
      this.#settle(token);
      pending.reject(this.#nc.isClosed() ? outage("nats", error) : error);
    }
  }

  #settle(token: string): void {
    this.#pending.delete(token);
    this.#room.shift()?.();
  }

  #sweep(resendMs: number): void {
    const now = Date.now();
    for (const [token, pending] of this.#pending) {
      const { signal, timeoutMs = 0 } = pending.options;
      if (signal?.aborted) {
        this.#settle(token);
        pending.reject(signal.reason);
      } else if (timeoutMs > 0 && now - pending.bornAt > timeoutMs) {
        this.#settle(token);
        pending.reject(outage("nats", new Error(`no acknowledgement from ${pending.subject} in ${timeoutMs} ms`)));
      } else if (now - pending.sentAt >= resendMs) {
        pending.sentAt = now;
        this.#send(token, pending);
      }
    }
  }

  async #watchReconnects(): Promise<void> {
    for await (const status of this.#statuses) {
      if (status.type === "reconnect") for (const pending of this.#pending.values()) pending.sentAt = 0;
    }
  }

  /** Rejects what is still out, as an outage. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#statuses.stop();
    this.#sub.unsubscribe();
    for (const [token, pending] of this.#pending) {
      this.#settle(token);
      pending.reject(outage("nats", new Error("the publisher is closed")));
    }
    this.#room.shift()?.();
  }
}

const sweepMs = 50;
/** How soon a publish that met a full stream is tried again. */
const fullRetryMs = 100;

/** The connection's own inbox prefix: a shared one would let every client read every reply. */
export function inboxPrefix(nc: NatsConnection): string {
  return (nc as unknown as { options: { inboxPrefix?: string } }).options.inboxPrefix ?? "_INBOX";
}

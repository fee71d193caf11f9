import type { Middleware, ServiceBroker } from "moleculer";
import type { NatsConnection, Status } from "nats";
import { type Names, namesFor } from "../config/names.ts";
import type { Settings } from "../config/settings.ts";
import { ensureStream } from "./jetstream.ts";
import type { LogLine } from "./log.ts";
import { resourcesOf } from "./resources.ts";
import { onNobodysBehalf } from "./trace/scope.ts";

/** Lines that wait at the most, and their characters: the oldest go first. */
const maxWaiting = 5_000;
const maxWaitingChars = 4 * 1024 * 1024;
/** A longer line stays in the process's own output alone. */
const maxLineChars = 65_536;
/** How often what has gathered is sent, ms. */
const everyMs = 100;
/** Lines that are sent at once. */
const burst = 1_000;
/** How soon a stream that could not be made is tried again, ms. */
const againMs = 5_000;
const hourNs = 3_600 * 1e9;

/**
 * Sends log lines to a bounded stream, where `GET /v1/logs` reads them. Nobody waits for it: lines gather in a bounded
 * buffer and leave by plain publishes that ask for no answer, and only while NATS is connected, or they would pile up in
 * the client. A stream that is full drops its oldest; one that is gone costs lines. Says nothing into the log itself: a
 * fault of NATS that made lines which made faults would never end.
 */
export class LogStream {
  /** Lines that were sent, and those that were given up. */
  readonly counts = { sent: 0, dropped: 0 };
  readonly #settings: Settings;
  readonly #names: Names;
  #waiting: LogLine[] = [];
  #chars = 0;
  #nc: NatsConnection | undefined;
  #statuses: { stop(): void } | undefined;
  #connected = false;
  #made = false;
  #triedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#names = namesFor(settings.prefix);
  }

  take(line: LogLine): void {
    if (this.#settings.logStreamBytes === 0) return;
    if (line.text.length > maxLineChars) {
      this.counts.dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#chars += line.text.length;
    if (this.#waiting.length <= maxWaiting && this.#chars <= maxWaitingChars) return;
    // A tenth at once: one at a time would move the whole buffer for each line.
    const gone = this.#waiting.splice(0, Math.ceil(this.#waiting.length / 10));
    for (const { text } of gone) this.#chars -= text.length;
    this.counts.dropped += gone.length;
  }

  start(nc: NatsConnection): void {
    this.#nc = nc;
    this.#connected = true;
    const statuses = nc.status() as AsyncIterable<Status> & { stop(): void };
    this.#statuses = statuses;
    void (async () => {
      for await (const { type } of statuses) {
        if (type === "disconnect") this.#connected = false;
        else if (type === "reconnect") this.#connected = true;
      }
    })();
    this.#timer = setInterval(() => this.#send(), everyMs);
    this.#timer.unref();
  }

  /** Sends what waits, as far as that needs no waiting. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#statuses?.stop();
    this.#send();
    if (this.#connected && this.#nc && !this.#nc.isClosed())
      await Promise.race([this.#nc.flush().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 500))]);
    this.counts.dropped += this.#waiting.splice(0).length;
  }

  #send(): void {
    const nc = this.#nc;
    if (this.#waiting.length === 0 || !nc || nc.isClosed() || !this.#connected) return;
    if (!this.#made) {
      this.#make(nc);
      return;
    }
    for (const { level, module, text } of this.#waiting.splice(0, burst)) {
      this.#chars -= text.length;
      try {
        nc.publish(this.#names.logs.subject(level, module), text);
        this.counts.sent++;
      } catch {
        this.counts.dropped++;
      }
    }
  }

  /** When there is something to send: a process that says nothing makes no stream. */
  #make(nc: NatsConnection): void {
    const now = performance.now();
    if (now - this.#triedAt < againMs) return;
    this.#triedAt = now;
    ensureLogs(nc, this.#names, this.#settings).then(
      () => {
        this.#made = true;
        this.#send();
      },
      () => {},
    );
  }
}

/** The stream of log lines: bounded by size and age, and the oldest go first. */
export function ensureLogs(nc: NatsConnection, names: Names, settings: Settings): Promise<void> {
  return ensureStream(nc, {
    name: names.logs.stream,
    subjects: [names.logs.all],
    retention: "limits",
    storage: "file",
    num_replicas: settings.replicas,
    discard: "old",
    max_bytes: settings.logStreamBytes,
    max_age: settings.logStreamHours * hourNs,
    allow_direct: true,
  });
}

/** Broker middleware that gives the stream its connection, and takes it before that closes. */
export function logStreaming(stream: LogStream): Middleware {
  return {
    name: "log-stream",
    starting(broker: ServiceBroker) {
      // Not waited for: NATS may be away, and the log is no reason to start later.
      void onNobodysBehalf(() => resourcesOf(broker).nats()).then(
        (nc) => stream.start(nc),
        () => {},
      );
    },
    stopped: () => stream.stop(),
  } as unknown as Middleware;
}

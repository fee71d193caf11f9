import { setTimeout as delay } from "node:timers/promises";
import type { KvEntry, NatsConnection, QueuedIterator } from "nats";

/**
 * All of a JetStream bucket in memory, kept up to date by a watch that is begun anew, from a whole snapshot, after every
 * reconnect. For what is small and asked for each request or lead.
 */
export class WatchedBucket<T> {
  readonly #bucket: string;
  readonly #parse: (entry: KvEntry) => T | undefined;
  readonly #report: (fault: string) => void;
  #entries: ReadonlyMap<string, T> | undefined;
  #watch: QueuedIterator<unknown> | undefined;
  readonly #stopped = new AbortController();
  readonly #ready = Promise.withResolvers<void>();

  /** `parse` gives undefined for what is none of ours; that counts as not there. */
  constructor(bucket: string, parse: (entry: KvEntry) => T | undefined, report: (fault: string) => void) {
    this.#bucket = bucket;
    this.#parse = parse;
    this.#report = report;
  }

  /** Resolves when the bucket has been read for the first time. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get isReady(): boolean {
    return this.#entries !== undefined;
  }

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  get(key: string): T | undefined {
    return this.#entries?.get(key);
  }

  /** Watches until {@link stop}; waits for a bucket that is not there yet. */
  async run(nc: NatsConnection): Promise<void> {
    void this.#followReconnects(nc);
    for (let failures = 0; !this.#stopped.signal.aborted; failures++) {
      try {
        await this.#watchOnce(nc);
        failures = 0;
      } catch (error) {
        if (nc.isClosed()) return;
        this.#report(`the watch of ${this.#bucket} broke: ${(error as Error).message}`);
      }
      await delay(Math.min(100 * 2 ** failures, 2_000), undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async #watchOnce(nc: NatsConnection): Promise<void> {
    const kv = await nc.jetstream().views.kv(this.#bucket, { bindOnly: true, allow_direct: true });
    const entries = new Map<string, T>();
    // The old snapshot serves until the new one is whole: a reconnect forgets nothing.
    const watch = await kv.watch({
      initializedFn: () => {
        this.#entries = entries;
        this.#ready.resolve();
      },
    });
    this.#watch = watch;
    if (this.#stopped.signal.aborted) watch.stop();
    for await (const entry of watch) {
      const value = entry.operation === "PUT" ? this.#parse(entry) : undefined;
      if (value === undefined) entries.delete(entry.key);
      else entries.set(entry.key, value);
    }
  }

  async #followReconnects(nc: NatsConnection): Promise<void> {
    // A server that came back may have forgotten the watch's consumer; the client would notice ten seconds later.
    for await (const status of nc.status()) {
      if (this.#stopped.signal.aborted) return;
      if (status.type === "reconnect") this.#watch?.stop();
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#watch?.stop();
  }
}

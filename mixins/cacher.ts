import type { Socket } from "node:net";
import { Cachers, type ServiceBroker } from "moleculer";
import { outage } from "./errors.ts";
import { meterOf } from "./metrics.ts";

const missing = {};

/** Counts a look-up: by the service whose answers are kept, the first part of the key. */
function count(broker: ServiceBroker, key: string, result: "hit" | "miss" | "fault"): void {
  meterOf(broker).add("leads_cache_requests_total", { kind: key.split(".", 1)[0]!, result });
}

/** Moleculer's cacher in the process's own memory, counted as the shared one is. */
export class CountingCacher extends Cachers.MemoryLRU {
  override async get(key: string): Promise<Record<string, unknown> | null> {
    const found = await super.get(key);
    count(this.broker, key, found == null ? "miss" : "hit");
    return found;
  }
}

/** The longest that a call waits for its cache. With what the process itself takes, a fault is a miss within 200 ms. */
const answerMs = 150;
/** One fault alone says nothing of the cache on a busy machine: two in a row do, or so many that were late. */
const lateInARow = 20;
/** A timeout that comes later than this was held up by the process itself. */
const lateMs = 50;
/** After a fault nobody asks for this long, so that a frozen Redis costs one call a second its 150 ms, not every call. */
const quietMs = 1_000;

/**
 * Moleculer's Redis cacher, for a Redis that may vanish (invariant 9): killed or frozen, every fault is a miss. The stock
 * one hangs on a frozen Redis, throws a fault of `get` at the caller, and leaves that of `set` unhandled.
 * A `del` that is lost leaves an old entry behind, until its TTL: every cached action must have one.
 */
export class MissingCacher extends Cachers.Redis {
  #quietUntil = 0;
  #isDown = false;
  /** Faults since the last answer. */
  #failed = 0;
  /** Collects what is written in this turn. */
  #corked: Socket | undefined;

  constructor(url: string, prefix: string, ttlSeconds: number) {
    super({
      prefix,
      ttl: ttlSeconds,
      redlock: undefined,
      redis: {
        ...fromUrl(url),
        commandTimeout: answerMs,
        connectTimeout: 2_000,
        maxRetriesPerRequest: 0,
        enableOfflineQueue: false,
        retryStrategy: (times: number) => Math.min(times * 100, 2_000),
      },
    });
  }

  override init(broker: ServiceBroker): void {
    super.init(broker);
    // The stock listener logs every try to connect again; we tell of the change only.
    this.client.removeAllListeners("error");
    this.client.on("error", (error: Error) => this.#fault(error));
    this.client.on("ready", () => {
      if (this.#isDown) this.logger.info("the cache is back");
      this.#isDown = false;
      this.#quietUntil = 0;
    });
  }

  /** A Redis that is frozen never answers QUIT. */
  override async close(): Promise<void> {
    this.client.disconnect();
  }

  override async get(key: string): Promise<Record<string, unknown> | null> {
    // What the middleware takes for "not cached" (the option `missingResponse`, which nobody sets).
    const found = await this.#try(() => super.get(key), missing);
    count(this.broker, key, found === missing ? "fault" : found == null ? "miss" : "hit");
    return found === missing ? (undefined as never) : found;
  }
  override async set(key: string, data: unknown, ttl?: number): Promise<void> {
    await this.#try(() => super.set(key, data, ttl), undefined);
  }
  override async del(key: string | string[]): Promise<void> {
    await this.#try(() => super.del(key), undefined);
  }
  override async clean(match?: string | string[]): Promise<void> {
    await this.#try(() => super.clean(match), undefined);
  }

  /** Deletes entries and returns how many there were; a fault is no miss here, but an outage. */
  async forget(keys: readonly string[]): Promise<number> {
    try {
      return await this.client.del(keys.map((key) => this.prefix + key));
    } catch (error) {
      throw outage("redis", error);
    }
  }

  async #try<T>(command: () => Promise<T>, missing: T): Promise<T> {
    const since = performance.now();
    if (since < this.#quietUntil) return missing;
    this.#together();
    try {
      const answer = await command();
      this.#failed = 0;
      if (this.#isDown) {
        this.#isDown = false;
        this.logger.info("the cache is back");
      }
      return answer;
    } catch (error) {
      const isLate = performance.now() - since > answerMs + lateMs;
      this.#failed += isLate ? 1 / lateInARow : 1;
      if (this.#failed >= 2) this.#fault(error as Error);
      return missing;
    }
  }

  /**
   * What is asked within one turn of the event loop goes out in one write to the socket: it takes longer than the command.
   * Not by the client's own pipelining, where a command waits for the answers to those before it.
   */
  #together(): void {
    const { stream } = this.client as { stream?: Socket };
    if (!stream || stream === this.#corked) return;
    this.#corked = stream;
    stream.cork();
    setImmediate(() => {
      this.#corked = undefined;
      stream.uncork();
    });
  }

  #fault(error: Error): void {
    this.#quietUntil = performance.now() + quietMs;
    if (this.#isDown) return;
    this.#isDown = true;
    this.logger.warn("the cache is gone: slower until it is back", { reason: error.message });
  }
}

function fromUrl(text: string): Record<string, unknown> {
  const url = new URL(text);
  return {
    // An IPv6 address stands in brackets in a URL alone.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 6379),
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    ...(url.pathname.length > 1 ? { db: Number(url.pathname.slice(1)) } : {}),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  };
}

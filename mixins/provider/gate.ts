import type { KV, NatsConnection } from "nats";
import type { Names } from "../../config/names.ts";
import { LeadsError, outage } from "../errors.ts";
import { errCodes } from "../jetstream.ts";

export interface GateOptions {
  nats(): Promise<NatsConnection>;
  names: Names;
  provider: string;
  /** Calls in a day (UTC), all instances together. */
  dailyCalls: number;
  now?(): number;
}

interface Found<T> {
  kv: KV;
  value: T | undefined;
  revision: number;
}
interface Closed {
  /** Nobody calls before this, ms since 1970. */
  until: number;
  /** Times in a row that the provider closed it without saying for how long. */
  strikes: number;
}

/** The first wait for a provider that does not say how long; it doubles with each strike, to the longest. */
const firstWaitMs = 5_000;
const longestWaitMs = 15 * 60_000;
/** Strikes count together when they are this close. */
const strikeMemoryMs = 10 * 60_000;
const dayMs = 86_400_000;
/** Races with other instances for one key that are run before it counts as NATS's fault. */
const maxRaces = 50;

/**
 * What a provider has asked of all that call it: not before a moment (429 with Retry-After), and so many calls a day.
 * Held in a JetStream bucket, written by compare-and-set and read before every call: a call takes seconds, a look a
 * millisecond. Not in Redis: that may vanish, and then every instance would call at once; not in the ledger: a provider's
 * quota is its key's, over all tenants and their databases.
 */
export class ProviderGate {
  readonly #options: GateOptions;
  readonly #now: () => number;
  /** Calls of the day that this instance was handed and has not made. */
  #day = "";
  #left = 0;
  #handing: Promise<void> | undefined;
  #bucket: Promise<KV> | undefined;
  /** The look that is under way, and the one after it, which all share that come meanwhile. */
  #looking: Promise<Found<Closed>> | undefined;
  #next: Promise<Found<Closed>> | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Throws `PROVIDER_LATER` while the provider is not to be called. */
  async check(): Promise<void> {
    const { value } = await this.#look();
    if (value && value.until > this.#now()) throw this.#later(value.until, "has asked to be called later");
  }

  /** What is found was read after it was asked for; a hundred that ask at once take two reads. */
  #look(): Promise<Found<Closed>> {
    if (this.#looking) {
      const after = this.#looking.catch(() => {});
      this.#next ??= after.then(() => {
        this.#next = undefined;
        return this.#look();
      });
      return this.#next;
    }
    this.#looking = this.#read<Closed>(this.#retryKey).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /**
   * Takes one call of the day; throws `PROVIDER_LATER` when there is none left. Calls are handed out a hundredth of the
   * day at a time (ten at the most): what an instance that dies had left is lost to the day, never used twice.
   */
  async take(): Promise<void> {
    for (;;) {
      const day = new Date(this.#now()).toISOString().slice(0, 10);
      if (day !== this.#day) [this.#day, this.#left] = [day, 0];
      if (this.#left > 0) {
        this.#left--;
        return;
      }
      // One portion at a time: those that wait for it would race for the same key.
      this.#handing ??= this.#hand(day).finally(() => {
        this.#handing = undefined;
      });
      await this.#handing;
    }
  }

  async #hand(day: string): Promise<void> {
    const { provider, dailyCalls } = this.#options;
    const portion = Math.max(1, Math.min(10, Math.floor(dailyCalls / 100)));
    let handed = 0;
    await this.#change<number>(`quota.${provider}.${day}`, (used = 0) => {
      handed = Math.min(portion, dailyCalls - used);
      if (handed <= 0) throw this.#later((Math.floor(this.#now() / dayMs) + 1) * dayMs, "has had its calls of the day");
      return used + handed;
    });
    if (day === this.#day) this.#left += handed;
  }

  /** Closes it for all instances: for so long, or for a time that doubles. Answers until when. */
  async closeFor(ms: number | null): Promise<number> {
    const now = this.#now();
    let until = 0;
    await this.#change<Closed>(this.#retryKey, (old = { until: 0, strikes: 0 }) => {
      const recent = old.until > now - strikeMemoryMs;
      // Others that were under way when it was closed hear the same: that is one strike.
      const strikes = ms !== null || old.until > now ? old.strikes : recent ? old.strikes + 1 : 1;
      const waitMs = ms ?? Math.min(longestWaitMs, firstWaitMs * 2 ** Math.max(0, strikes - 1));
      until = old.until > now && ms === null ? old.until : Math.max(old.until, now + waitMs);
      return { until, strikes };
    });
    return until;
  }

  get #retryKey(): string {
    return `retry.${this.#options.provider}`;
  }

  #later(until: number, why: string): LeadsError {
    const { provider } = this.#options;
    return new LeadsError("PROVIDER_LATER", `${provider} ${why}`, { provider, until });
  }

  async #change<T>(key: string, next: (old: T | undefined) => T): Promise<void> {
    for (let races = 1; ; races++) {
      const { kv, value, revision } = await this.#read<T>(key);
      const changed = JSON.stringify(next(value));
      try {
        await kv.put(key, changed, { previousSeq: revision });
        return;
      } catch (error) {
        const lost =
          (error as { api_error?: { err_code?: number } }).api_error?.err_code === errCodes.wrongLastSequence;
        if (!lost || races === maxRaces) throw outage("nats", error);
      }
    }
  }

  async #read<T>(key: string): Promise<Found<T>> {
    try {
      const kv = await this.#kv();
      const entry = await kv.get(key);
      const value = entry?.operation === "PUT" ? entry.json<T>() : undefined;
      return { kv, value, revision: entry?.revision ?? 0 };
    } catch (error) {
      throw outage("nats", error);
    }
  }

  /** Opened once: that is a request of its own, which asks for the whole account. */
  #kv(): Promise<KV> {
    const { nats, names } = this.#options;
    this.#bucket ??= nats()
      .then((nc) => nc.jetstream().views.kv(names.bucket.providers, { bindOnly: true }))
      .catch((error) => {
        this.#bucket = undefined;
        throw error;
      });
    return this.#bucket;
  }
}

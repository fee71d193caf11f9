import type { Redis } from "ioredis";
import type { Names } from "../config/names.ts";
import { LeadsError } from "./errors.ts";

/** Requests a second; as many may come at once. */
export interface Rate {
  perSecond: number;
}

export interface RateVerdict {
  allowed: boolean;
  /** Requests that may come at once. */
  limit: number;
  /** Of these, how many may still come now. */
  remaining: number;
  /** Until the next request is allowed; 0 when this one was. */
  retryAfterMs: number;
  /** Until `remaining` is `limit` again. */
  resetMs: number;
}

/**
 * GCRA (the virtual-scheduling form of ATM's generic cell rate algorithm): one number a key, the theoretical arrival
 * time of the next request. A request is allowed while that time is at most the burst's length ahead. It never comes to
 * more than that: where it does the clock was set back, and the key begins anew.
 * KEYS[1] the key · ARGV[1] emission interval, us · ARGV[2] burst, us
 * Answers { 1 allowed | 0 refused, us until allowed, us until idle }. Redis's own clock, so that gateways need not agree.
 */
const script = `
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local tat = tonumber(redis.call("GET", KEYS[1]) or now)
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
if tat < now or tat > now + burst then tat = now end
local wait = tat + interval - burst - now
if wait > 0 then return { 0, wait, tat - now } end
tat = tat + interval
redis.call("SET", KEYS[1], string.format("%.0f", tat), "PX", math.ceil((tat - now) / 1000))
return { 1, 0, tat - now }`;

/** The longest that a request waits for Redis before the local bucket decides, ms. */
const patienceMs = 100;
/** How often a Redis that failed is looked at, ms. */
const probeMs = 500;
/** Keys that the local buckets remember at the most; idle ones go first. */
const maxLocalKeys = 10_000;

/**
 * Rate limits shared by all gateways through Redis, in one round trip. While Redis is gone or frozen each gateway
 * limits by itself: one request pays the patience, then none until a probe in the background finds Redis again.
 */
export class RateLimiter {
  readonly #redis: Redis | null;
  readonly #names: Names;
  readonly #local = new Map<string, number>();
  #probe: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(redis: Redis | null, names: Names) {
    this.#redis = redis;
    this.#names = names;
  }

  /** Does Redis decide at this moment? */
  get shared(): boolean {
    return this.#redis !== null && this.#probe === undefined;
  }

  /** Takes one request from the bucket of `key`. Never throws, never waits longer than 100 ms. */
  async take(kind: string, key: string, { perSecond }: Rate): Promise<RateVerdict> {
    const intervalUs = Math.round(1_000_000 / perSecond);
    const burstUs = intervalUs * perSecond;
    if (this.#redis !== null && this.#probe === undefined) {
      try {
        const name = this.#names.cache(`rate-${kind}`, key);
        const answer = await within(patienceMs, this.#redis.eval(script, 1, name, intervalUs, burstUs));
        return verdict(answer as [number, number, number], perSecond, intervalUs, burstUs);
      } catch {
        this.#lost();
      }
    }
    return verdict(this.#takeLocal(`${kind}:${key}`, intervalUs, burstUs), perSecond, intervalUs, burstUs);
  }

  #takeLocal(key: string, intervalUs: number, burstUs: number): [number, number, number] {
    const now = Math.round(performance.now() * 1_000);
    const tat = Math.max(this.#local.get(key) ?? now, now);
    const wait = tat + intervalUs - burstUs - now;
    if (wait > 0) return [0, wait, tat - now];
    this.#local.delete(key); // Set anew below, so that the map's order is the order of use.
    this.#local.set(key, tat + intervalUs);
    if (this.#local.size > maxLocalKeys) this.#local.delete(this.#local.keys().next().value!);
    return [1, 0, tat + intervalUs - now];
  }

  #lost(): void {
    if (this.#probe !== undefined || this.#closed) return;
    this.#probe = setTimeout(async () => {
      const back = await within(patienceMs, this.#redis!.ping()).then(
        () => true,
        () => false,
      );
      this.#probe = undefined;
      if (!back) this.#lost();
    }, probeMs);
    this.#probe.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#probe);
  }
}

function verdict(
  [allowed, waitUs, idleUs]: [number, number, number],
  limit: number,
  intervalUs: number,
  burstUs: number,
): RateVerdict {
  return {
    allowed: allowed === 1,
    limit,
    remaining: Math.max(0, Math.floor((burstUs - idleUs) / intervalUs)),
    retryAfterMs: Math.ceil(waitUs / 1_000),
    resetMs: Math.ceil(idleUs / 1_000),
  };
}

/** The promise's value, or a rejection after `ms`. */
function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${ms} ms`)), ms);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

export const tooMany = (retryAfterMs: number) => new LeadsError("RATE_LIMITED", "too many requests", { retryAfterMs });

import type { RetryPolicy } from "../../config/retry.ts";

/**
 * How long to wait before try number `failed + 1`: exponential with full jitter, a draw from 0 to
 * min(maxMs, baseMs * 2^(failed - 1)). https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 * @param failed tries that failed so far, from 1
 * @param random a number in [0, 1)
 */
export function backoffMs(policy: RetryPolicy, failed: number, random: number = Math.random()): number {
  return Math.floor(random * Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(failed - 1, 30)));
}

/** Are the policy's retries used up by this many failed tries? */
export function exhausted(policy: RetryPolicy, failed: number): boolean {
  return failed > policy.retries;
}

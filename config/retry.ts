/** How often and how soon a lead that failed is tried again. */
export interface RetryPolicy {
  /** Retries after the first try; then the lead is a dead letter. */
  retries: number;
  /** Upper bound of the first wait; it doubles with every retry. */
  baseMs: number;
  /** Upper bound of any wait. */
  maxMs: number;
}

export const retryPolicies = {
  standard: { retries: 5, baseMs: 1_000, maxMs: 300_000 },
  /** Someone else's server: give it longer. */
  provider: { retries: 5, baseMs: 2_000, maxMs: 300_000 },
} as const satisfies Record<string, RetryPolicy>;

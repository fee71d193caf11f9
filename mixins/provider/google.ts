import type { Sorted } from "./answer.ts";

/** Google's APIs tell errors in one form, https://cloud.google.com/apis/design/errors: what of it means the same for all. */
interface GoogleError {
  message?: string;
  /** `INVALID_ARGUMENT`, `RESOURCE_EXHAUSTED`, … */
  status?: string;
  details?: { reason?: string; retryDelay?: string; metadata?: Record<string, string> }[];
}

/**
 * A key that is not valid is told by 400; a quota by 429, with how long it lasts where it is one of a minute
 * (`RetryInfo`), and with its name, which says so of a day: Google's days begin at midnight Pacific time, so it is asked
 * again each hour. null: it says no more than its HTTP status.
 */
export function sortGoogle(body: unknown): Sorted | null {
  const { error } = (body ?? {}) as { error?: GoogleError };
  if (!error) return null;
  const { status, message = "", details = [] } = error;
  if (details.some(({ reason }) => reason === "API_KEY_INVALID") || /API key not valid/i.test(message))
    return { kind: "down", reason: "refuses the key (API_KEY_INVALID)" };
  if (status !== "RESOURCE_EXHAUSTED") return null;
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(details.find(({ retryDelay }) => retryDelay)?.retryDelay ?? "")?.[1];
  if (seconds !== undefined) {
    const waitMs = Math.min(86_400_000, Math.ceil(Number(seconds) * 1_000)) || null;
    return { kind: "later", waitMs, reason: "has had too many requests (429)" };
  }
  const isDaily =
    details.some(({ metadata }) => /PerDay/i.test(metadata?.["quota_limit"] ?? "")) || /per day/i.test(message);
  return isDaily ? { kind: "later", waitMs: 3_600_000, reason: "has had its calls of the day (429)" } : null;
}

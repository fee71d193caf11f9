import { Errors } from "moleculer";

/**
 * Every error of ours: code, HTTP status, whether a later try can succeed, and what it says.
 * Across nodes Moleculer rebuilds errors and loses class and cause: branch on `type` and `retryable`.
 * docs/errors.md lists them; a test fails when one is missing there.
 */
export const errorTable = {
  VALIDATION: { status: 422, retryable: false, text: "A field is wrong; `data.faults` names each." },
  MALFORMED: { status: 400, retryable: false, text: "The request cannot be read." },
  UNAUTHORIZED: { status: 401, retryable: false, text: "No API key or signature, or one that is not valid." },
  FORBIDDEN: { status: 403, retryable: false, text: "The key lacks the scope." },
  NOT_FOUND: { status: 404, retryable: false, text: "There is no such thing." },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, text: "The path exists, the method does not." },
  CONFLICT: { status: 409, retryable: false, text: "It contradicts what was done before." },
  ERASED: {
    status: 409,
    retryable: false,
    text: "The person asked to be erased; lift the tombstone to take the lead in again.",
  },
  SLOW_REQUEST: { status: 408, retryable: true, text: "The request did not arrive in time." },
  TOO_LARGE: { status: 413, retryable: false, text: "The body or a row is larger than allowed." },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, text: "The content type is not one that is read." },
  RATE_LIMITED: { status: 429, retryable: true, text: "Too many requests; Retry-After says when." },
  MAILBOX_FULL: { status: 503, retryable: true, text: "The mailbox is full; Retry-After says when to try again." },
  OUTAGE: { status: 503, retryable: true, text: "Something the mesh stands on is down; `data.dependency` names it." },
  LISTING_UNREACHABLE: {
    status: 503,
    retryable: true,
    text: "The server of a listing does not answer; its work waits.",
  },
  OVER_BUDGET: {
    status: 402,
    retryable: true,
    text: "The budget is used up; `data.until` says when the next window begins.",
  },
  PROVIDER_LATER: { status: 429, retryable: true, text: "A provider is not to be called before `data.until`." },
  PROVIDER_REFUSED: {
    status: 424,
    retryable: false,
    text: "A provider will never answer this request; `data.reason` says why.",
  },
  PROVIDER_OFF: { status: 424, retryable: false, text: "There is no key for the provider." },
  INTERNAL: { status: 500, retryable: false, text: "A fault of ours; the log has it under the request id." },
  ENVELOPE: {
    status: 500,
    retryable: false,
    text: "A message that is not an envelope of ours (not JSON, wrong version, too large).",
  },
  CRASH_LOOP: { status: 500, retryable: false, text: "A lead was in hand each time its worker died." },
  OUTCOMES: { status: 500, retryable: false, text: "A handler gave back other outcomes than its batch has leads." },
} as const satisfies Record<string, { status: number; retryable: boolean; text: string }>;

export type ErrorType = keyof typeof errorTable;

export class LeadsError extends Errors.MoleculerError {
  constructor(type: ErrorType, message: string, data?: Record<string, unknown>, options?: { cause?: unknown }) {
    super(message, errorTable[type].status, type, data);
    this.retryable = errorTable[type].retryable;
    if (options?.cause !== undefined) this.cause = options.cause;
  }
}

/** A dependency is down: the stage waits for it, no lead's retries burn. `dependency`: `postgres`, `nats`, `redis`, or a provider. */
export function outage(dependency: string, cause?: unknown): LeadsError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new LeadsError("OUTAGE", `${dependency} is down${why}`, { dependency }, { cause });
}

import { Agent, type Dispatcher } from "undici";
import { ask, codings, inflated, type Sent } from "../outbound.ts";

/** One request to a provider, and what its answer means: pure but for {@link send}. */

export interface Request {
  /** Under the provider's base URL, with a slash. */
  path: string;
  query?: readonly (readonly [name: string, value: string])[];
  headers?: Record<string, string>;
  /** Sent as JSON, by POST. */
  body?: unknown;
}

export interface Answer {
  status: number;
  /** By their names in lower case. */
  headers: Pick<Headers, "get">;
  body: Buffer;
}
export const textOf = ({ body }: Answer): string => body.toString("utf8");

/**
 * How an answer is taken:
 * - `good`: it may be read.
 * - `later`: all instances wait, `waitMs` or (null) a time that doubles.
 * - `never`: this very request will not be answered otherwise.
 * - `down`: the provider, or our access to it: the stage waits.
 */
export type Sorted =
  | { kind: "good" }
  | { kind: "later"; waitMs: number | null; reason: string }
  | { kind: "never"; reason: string }
  | { kind: "down"; reason: string };

/** The request did not come to an answer. */
export class NoAnswer extends Error {
  /** It certainly never reached the provider. */
  readonly unsent: boolean;
  constructor(reason: string, unsent: boolean) {
    super(reason);
    this.name = "NoAnswer";
    this.unsent = unsent;
  }
}

/** Nothing has left us yet when one of these comes. */
const unsentCodes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Connections are kept for a few seconds, and keep no process alive. */
const agent = new Agent();

/** Sends it and reads the whole answer. Throws {@link NoAnswer}; its words hold no key, for the URL may. */
export async function send(
  base: string,
  { path, query = [], headers = {}, body }: Request,
  { timeoutMs, maxBytes }: { timeoutMs: number; maxBytes: number },
): Promise<Answer> {
  const url = new URL(base.replace(/\/$/, "") + path);
  for (const [name, value] of query) url.searchParams.append(name, value);
  const request: Dispatcher.DispatchOptions = {
    origin: url.origin,
    path: url.pathname + url.search,
    method: body === undefined ? "GET" : "POST",
    headers: {
      accept: "application/json",
      "accept-encoding": codings,
      "user-agent": "LeadFactory",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  try {
    // A redirect is not followed: it would take the key to another host.
    const sent = await ask(agent, request, AbortSignal.timeout(timeoutMs), () => maxBytes);
    const read = await inflated(sent, maxBytes);
    if (read === null) throw new NoAnswer("answers in a coding that is not known", false);
    if (read.cut) throw new NoAnswer(`answers with more than ${maxBytes} bytes`, false);
    return { status: sent.status, headers: headersOf(sent.headers), body: read.body };
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    const { name, code: own, errors } = error as Error & { code?: string | number; errors?: { code?: string }[] };
    if (name === "TimeoutError") throw new NoAnswer(`does not answer within ${timeoutMs} ms`, false);
    const code = typeof own === "string" ? own : (errors?.[0]?.code ?? name);
    throw new NoAnswer(
      unsentCodes.has(code) ? `cannot be reached (${code})` : `broke off its answer (${code})`,
      unsentCodes.has(code),
    );
  }
}

function headersOf(sent: Sent["headers"]): Answer["headers"] {
  return { get: (name) => (sent[name] === undefined ? null : [sent[name]].flat().join(", ")) };
}

/** As the provider's own terms say (`own`), else as its status does. `Retry-After` holds where they name no time. */
export function sortAnswer(answer: Pick<Answer, "status" | "headers">, own: Sorted | null, now: number): Sorted {
  const sorted = own ?? sortStatus(answer.status, answer.headers, now);
  if (sorted.kind !== "later" || sorted.waitMs !== null) return sorted;
  return { ...sorted, waitMs: retryAfterMs(answer.headers.get("retry-after"), now) };
}

/** The common reading of HTTP's status codes, for a provider that says nothing else of its own. */
function sortStatus(status: number, headers: Answer["headers"], now: number): Sorted {
  if (status >= 200 && status < 300) return { kind: "good" };
  const waitMs = retryAfterMs(headers.get("retry-after"), now);
  // A key that is refused is no lead's fault: somebody must mend it, and the leads wait.
  if (status === 401 || status === 403) return { kind: "down", reason: `refuses the key (${status})` };
  if (status === 402) return { kind: "later", waitMs: waitMs ?? 3_600_000, reason: "wants to be paid (402)" };
  if (status === 429) return { kind: "later", waitMs, reason: "has had too many requests (429)" };
  if (status === 503 && headers.get("retry-after") !== null) return { kind: "later", waitMs, reason: "is busy (503)" };
  if (status === 408 || status >= 500) return { kind: "down", reason: `answers ${status}` };
  if (status >= 300 && status < 400) return { kind: "down", reason: `has moved (${status})` };
  return { kind: "never", reason: `http_${status}` };
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); null where there is none, or none to come. A day at the most. */
export function retryAfterMs(value: string | null, now: number): number | null {
  if (value === null) return null;
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now;
  return ms > 0 ? Math.min(86_400_000, ms) : null;
}

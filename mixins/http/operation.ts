import type { ErrorType } from "../errors.ts";
import type { Scope } from "../keys.ts";

/** A JSON Schema (2020-12), as OpenAPI 3.1 takes it. */
export type JsonSchema = { readonly [key: string]: unknown };

/** A parameter of the query or a header: one value, of a type that can be read from text. */
export interface Parameter {
  description: string;
  schema: {
    type: "string" | "integer" | "number" | "boolean";
    minimum?: number;
    maximum?: number;
    maxLength?: number;
    pattern?: string;
    enum?: readonly string[];
    default?: string | number | boolean;
  };
}

export interface AnswerDoc {
  description: string;
  /** Absent: the answer has no body. */
  type?: "application/json" | "text/html" | "text/event-stream" | "text/javascript" | "text/css" | "image/jpeg";
  schema?: JsonSchema;
  /** It may come as server-sent events instead: what each of them is. */
  events?: JsonSchema;
  /** It may come as CSV instead. */
  csv?: JsonSchema;
  headers?: Record<string, string>;
}

/**
 * One operation of the API. From the table of these come the routes, the scopes, the check of the query, the limits of
 * the body and openapi.json: nothing of it is written twice.
 */
export interface Operation {
  id: string;
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it: `/v1/leads/{id}`. */
  path: string;
  summary: string;
  description?: string;
  /** null: needs no key. */
  scope: Scope | null;
  /** Needs no key, and is limited by the caller's address as those without a valid key are. */
  limited?: boolean;
  /**
   * Needs no key, and is signed: without any of the headers `by` it is refused before its body is read. A gateway has
   * `atOnce` of them in hand at the most.
   */
  signed?: { by: readonly string[]; atOnce: number };
  /** What stands between braces in the path. */
  params?: Record<string, Parameter>;
  query?: Record<string, Parameter>;
  headers?: Record<string, Parameter>;
  body?: {
    /** Content type -> what the body is. */
    types: Record<string, JsonSchema>;
    /** Unbounded, read as a stream by the handler. Else the body is JSON of at most `bodyLimitBytes`, read before it. */
    upload?: boolean;
    /** Read whole before the handler, up to so many bytes, and not parsed: it may be no JSON object, or is signed. */
    raw?: number;
  };
  answers: Record<number, AnswerDoc>;
  /** Errors of its own, besides those that its scope, query and body bring. */
  errors?: readonly ErrorType[];
}

/** The errors an operation can answer with, all of them. */
export function errorsOf(operation: Operation): ErrorType[] {
  const errors = new Set<ErrorType>(["INTERNAL", "MALFORMED", ...(operation.errors ?? [])]);
  if (operation.scope !== null)
    for (const e of ["UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED", "OUTAGE"] as const) errors.add(e);
  if (operation.limited) errors.add("RATE_LIMITED");
  if (operation.signed) for (const e of ["UNAUTHORIZED", "MAILBOX_FULL"] as const) errors.add(e);
  if (operation.query) errors.add("VALIDATION");
  if (operation.body) for (const e of ["TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "SLOW_REQUEST"] as const) errors.add(e);
  return [...errors];
}

import { randomBytes } from "node:crypto";
import { newTraceId, readTraceparent, type TraceContext } from "../trace/ids.ts";

/** The caller's request id where it is harmless in logs and headers, else a new one of 32 hex digits (a W3C trace id). */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && /^[A-Za-z0-9._:-]{1,64}$/.test(given) ? given : randomBytes(16).toString("hex");
}

/** The trace that a request belongs to: the caller's, or a new one, which has the request's id where that can be a trace's. */
export function traceOf(traceparent: string | undefined, requestId: string): TraceContext {
  const given = readTraceparent(traceparent);
  if (given) return given;
  const isTraceId = /^[0-9a-f]{32}$/.test(requestId) && !/^0+$/.test(requestId);
  return { traceId: isTraceId ? requestId : newTraceId(), parentId: null };
}

/** The secret of `Authorization: Bearer …` or `X-Api-Key`. */
export function secretOf(headers: NodeJS.Dict<string | string[]>): string | undefined {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(String(headers["authorization"] ?? "")) ?? [];
  const key = headers["x-api-key"];
  return bearer ?? (typeof key === "string" && key !== "" ? key : undefined);
}

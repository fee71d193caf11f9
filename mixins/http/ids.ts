import { randomBytes } from "node:crypto";

/** The caller's request id where it is harmless in logs and headers, else a new one of 32 hex digits (a W3C trace id). */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && /^[A-Za-z0-9._:-]{1,64}$/.test(given) ? given : randomBytes(16).toString("hex");
}

const version0 = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * The caller's trace context, or a new one. https://www.w3.org/TR/trace-context/#traceparent-header: ids of zeros and
 * version ff are invalid, version 00 has nothing after its flags, later versions are read as far as 00 goes.
 */
export function traceparentOf(given: string | undefined, requestId: string): string {
  const [, version, traceId, parentId, flags, rest] = version0.exec(given ?? "") ?? [];
  const valid =
    version !== undefined &&
    version !== "ff" &&
    !/^0+$/.test(traceId!) &&
    !/^0+$/.test(parentId!) &&
    !(version === "00" && rest);
  if (valid) return `00-${traceId}-${parentId}-${flags}`;
  const trace =
    /^[0-9a-f]{32}$/.test(requestId) && !/^0+$/.test(requestId) ? requestId : randomBytes(16).toString("hex");
  return `00-${trace}-${randomBytes(8).toString("hex")}-01`;
}

/** The secret of `Authorization: Bearer …` or `X-Api-Key`. */
export function secretOf(headers: NodeJS.Dict<string | string[]>): string | undefined {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(String(headers["authorization"] ?? "")) ?? [];
  const key = headers["x-api-key"];
  return bearer ?? (typeof key === "string" && key !== "" ? key : undefined);
}

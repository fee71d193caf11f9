import { randomFillSync } from "node:crypto";

/** Ids of W3C trace context, https://www.w3.org/TR/trace-context/: a trace's is 16 bytes, a span's 8, in hex. */

export interface TraceContext {
  traceId: string;
  /** The span that what follows is a part of; null where the trace begins here. */
  parentId: string | null;
}

const version0 = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const zeros = /^0+$/;

/**
 * Reads a `traceparent` that came from outside; null for one that is not valid: ids of zeros and version ff are not,
 * version 00 has nothing after its flags, later versions are read as far as 00 goes.
 */
export function readTraceparent(given: string | undefined): TraceContext | null {
  const [, version, traceId, parentId, , rest] = version0.exec(given ?? "") ?? [];
  if (version === undefined || version === "ff" || (version === "00" && rest)) return null;
  return zeros.test(traceId!) || zeros.test(parentId!) ? null : { traceId: traceId!, parentId: parentId! };
}

/** Reads a `traceparent` that one of us wrote: by its places alone, as every lead of a batch has one. */
export function splitTraceparent(ours: string): { traceId: string; parentId: string } | null {
  return ours.length === 55 ? { traceId: ours.slice(3, 35), parentId: ours.slice(36, 52) } : null;
}

export function writeTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

export const newTraceId = () => randomHex(16);
export const newSpanId = () => randomHex(8);

/** Drawn many at once: each call has two ids, and one alone takes the system ten times as long. */
const drawn = Buffer.alloc(4_096);
let used = drawn.length;

function randomHex(bytes: number): string {
  if (used + bytes > drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  used += bytes;
  return drawn.toString("hex", used - bytes, used);
}

/**
 * Where a trace stands between 0 and 1: a hash of its id, so that all processes that export traces below the same share
 * export the same ones. FNV-1a and the last step of MurmurHash3, as ids that callers choose may differ in little.
 */
export function placeOf(traceId: string): number {
  let h = 0x811c9dc5;
  for (let at = 0; at < traceId.length; at++) h = Math.imul(h ^ traceId.charCodeAt(at), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

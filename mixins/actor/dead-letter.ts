import type { Lane } from "../../config/names.ts";
import type { EnvelopeItem, Route } from "./envelope.ts";
import type { Item } from "./outcome.ts";

/** A message that used up its retries or can never succeed, with all that an operator needs to judge, mend and redrive it. */
export interface DeadLetter<T extends Item = Item> {
  v: 1;
  /** null for a message that holds no lead that could be read; `raw` has its beginning. */
  lead: T | null;
  stage: string;
  error: { type: string; message: string };
  /** Tries, this one included; 0 for a message that was never tried. */
  attempts: number;
  /** First and last failure, ms since 1970. */
  firstAt: number;
  lastAt: number;
  /** Where the message stood. */
  stream: string;
  seq: number;
  lane: Lane | null;
  tenant: string | null;
  requestId: string;
  traceparent: string;
  importId?: string;
  raw?: string;
}

/** Characters of an unreadable message that are kept. */
const rawLimit = 65_536;

export function deadLetter<T extends Item>(
  stage: string,
  from: { stream: string; seq: number },
  route: Route,
  { lead, tries }: Required<EnvelopeItem<T>>,
): DeadLetter<T> {
  return {
    v: 1,
    lead,
    stage,
    error: tries.error,
    attempts: tries.count,
    firstAt: tries.firstAt,
    lastAt: tries.lastAt,
    ...from,
    lane: route.lane,
    tenant: route.tenant,
    requestId: route.requestId,
    traceparent: route.traceparent,
    ...(route.importId ? { importId: route.importId } : {}),
  };
}

/** The dead letter of a message that is no envelope of ours. */
export function foreignLetter(
  stage: string,
  from: { stream: string; seq: number },
  error: Error,
  data: Uint8Array,
  now: number,
): DeadLetter {
  return {
    v: 1,
    lead: null,
    stage,
    error: errorOf(error),
    attempts: 0,
    firstAt: now,
    lastAt: now,
    ...from,
    lane: null,
    tenant: null,
    requestId: "",
    traceparent: "",
    raw: new TextDecoder().decode(data.subarray(0, rawLimit)),
  };
}

/** Characters of an error's message that are kept: a query builder's holds the whole statement. */
const messageLimit = 1_000;

/** What is kept of an error: its type (ours and Moleculer's have one), else its SQLSTATE or name. */
export function errorOf(error: Error): { type: string; message: string } {
  const { type, code } = error as { type?: string; code?: unknown };
  return {
    type: type ?? (typeof code === "string" ? code : error.name),
    message: String(error.message).slice(0, messageLimit),
  };
}

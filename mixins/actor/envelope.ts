import { hash } from "node:crypto";
import { type MsgHdrs, headers as natsHeaders } from "nats";
import { envelopeVersion, headers, type Lane, lanes, tenantPattern } from "../../config/names.ts";
import { LeadsError } from "../errors.ts";
import type { Item, Tries } from "./outcome.ts";

/**
 * Envelopes: what one message of a mailbox holds. Body: `{"v":1,"items":[{"lead":{…},"tries":{…}?}]}`; all its leads
 * are of one tenant, one lane and one request. A live envelope holds one lead, a bulk one up to {@link maxLeads}
 * leads or {@link maxBytes}.
 */
export const maxLeads = 50;
/** Where a bulk envelope is cut. A single larger lead travels alone. */
export const maxBytes = 65_536;
/** A single item above this can be no lead of ours (NATS itself stops at 1 MB by default). */
export const maxItemBytes = 786_432;

/** What the leads of one envelope have in common. */
export interface Route {
  tenant: string;
  lane: Lane;
  requestId: string;
  traceparent: string;
  importId?: string;
}

export interface EnvelopeItem<T extends Item = Item> {
  lead: T;
  tries?: Tries;
}

export interface Envelope {
  data: Uint8Array;
  headers: MsgHdrs;
  /** Leads inside. */
  count: number;
}

/** A lead's id is a UUID, other items have ids of their own; all of them stand in headers. */
const idPattern = /^[\x21-\x7e]{1,128}$/;
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Cuts items of one route into envelopes, order kept. Each item is serialised once. Throws `ENVELOPE` for an item that
 * no message can hold; {@link fits} tells before.
 */
export function pack<T extends Item>(
  route: Route,
  items: readonly EnvelopeItem<T>[],
  limit = route.lane === "live" ? 1 : maxLeads,
): Envelope[] {
  const envelopes: Envelope[] = [];
  let parts: string[] = [];
  let keys = "";
  let size = 0;
  const flush = () => {
    if (parts.length === 0) return;
    const h = routeHeaders(route, parts.length);
    h.set(headers.msgId, hash("sha1", `${route.requestId}${keys}`));
    envelopes.push({
      // Half the time of a `TextEncoder`.
      data: Buffer.from(`{"v":${envelopeVersion},"items":[${parts.join(",")}]}`),
      headers: h,
      count: parts.length,
    });
    parts = [];
    keys = "";
    size = 0;
  };
  for (const item of items) {
    const text = JSON.stringify(item);
    if (!fits(text)) throw tooLarge(item.lead.leadId);
    if (parts.length >= limit || (parts.length > 0 && size + text.length > maxBytes)) flush();
    parts.push(text);
    keys += itemKey(item);
    size += text.length;
  }
  flush();
  return envelopes;
}

/** Can one message hold this text? A character takes three bytes of UTF-8 at the most, so most need no count. */
export function fits(text: string): boolean {
  return text.length <= maxItemBytes / 3 || Buffer.byteLength(text) <= maxItemBytes;
}

export function tooLarge(leadId: string): LeadsError {
  return new LeadsError("ENVELOPE", `lead ${leadId} takes more than ${maxItemBytes} bytes`);
}

/**
 * What makes two publishes of an item the same for `Nats-Msg-Id`: the lead, its telling, the stages it has passed and
 * its failed tries. A new telling or a second way through a stage differs in one of them; whoever puts a lead back by
 * hand (a redrive) must give the envelope an id of its own.
 */
function itemKey({ lead, tries }: EnvelopeItem): string {
  return `|${lead.leadId}.${lead.revision}.${lead.timeline.length}.${tries ? `${tries.count}.${tries.firstAt}` : ""}`;
}

export function routeHeaders(route: Route, count: number): MsgHdrs {
  const h = natsHeaders();
  h.set(headers.version, String(envelopeVersion));
  h.set(headers.count, String(count));
  h.set(headers.tenant, route.tenant);
  h.set(headers.lane, route.lane);
  h.set(headers.request, route.requestId);
  h.set(headers.traceparent, route.traceparent);
  if (route.importId) h.set(headers.importId, route.importId);
  return h;
}

/** How many leads a message says it holds; 1 where it does not say. */
export function countOf(h: MsgHdrs | undefined): number {
  const count = Number(h?.get(headers.count) || 1);
  return Number.isInteger(count) && count > 0 && count <= maxLeads ? count : 1;
}

/** Reads a message. Throws `ENVELOPE`, naming what is wrong, for anything that is not an envelope of this version. */
export function unpack<T extends Item>(
  data: Uint8Array,
  h: MsgHdrs | undefined,
): { route: Route; items: EnvelopeItem<T>[] } {
  const bad = (why: string) => new LeadsError("ENVELOPE", `not an envelope: ${why}`);
  const version = h?.get(headers.version);
  if (version !== String(envelopeVersion))
    throw bad(`${headers.version} is ${version ? `"${version}"` : "missing"}, this reader knows ${envelopeVersion}`);
  const tenant = h?.get(headers.tenant) ?? "";
  if (!tenantPattern.test(tenant)) throw bad(`${headers.tenant} "${tenant}" is no tenant`);
  const lane = lanes.find((l) => l === h?.get(headers.lane));
  if (!lane) throw bad(`${headers.lane} "${h?.get(headers.lane)}" is no lane`);
  let body: any;
  try {
    body = JSON.parse(decoder.decode(data));
  } catch {
    // The engine's message quotes the body, which may hold personal data, and this one is logged.
    throw bad("not JSON");
  }
  if (body?.v !== envelopeVersion || !Array.isArray(body.items) || body.items.length === 0)
    throw bad("the body has no items of this version");
  if (body.items.length > maxLeads) throw bad(`${body.items.length} items, more than ${maxLeads}`);
  if (body.items.length === 1 && data.length > maxItemBytes + 32)
    throw bad(`${data.length} bytes, a lead takes ${maxItemBytes} at the most`);
  for (const item of body.items) {
    const { lead, tries } = item ?? {};
    if (typeof lead?.leadId !== "string" || !idPattern.test(lead.leadId)) throw bad("an item has no id");
    if (!Array.isArray(lead.timeline) || !Number.isFinite(lead.revision)) throw bad(`item ${lead.leadId} is no lead`);
    if (tries !== undefined && !(Number.isInteger(tries?.count) && Number.isFinite(tries.firstAt) && tries.error))
      throw bad(`the tries of lead ${lead.leadId} cannot be read`);
    if (lead.tenant !== tenant) throw bad(`a lead of tenant "${lead.tenant}" in an envelope of "${tenant}"`);
  }
  const route: Route = {
    tenant,
    lane,
    requestId: h?.get(headers.request) ?? "",
    traceparent: h?.get(headers.traceparent) ?? "",
  };
  const importId = h?.get(headers.importId);
  if (importId) route.importId = importId;
  return { route, items: body.items };
}

/** Items of the same route can share an envelope. */
export function routeKey(route: Route): string {
  return `${route.tenant} ${route.lane} ${route.requestId} ${route.traceparent} ${route.importId ?? ""}`;
}

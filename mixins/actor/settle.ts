import { headers, type Names } from "../../config/names.ts";
import type { StageOptions } from "../../config/pipeline.ts";
import { LeadsError } from "../errors.ts";
import { backoffMs, exhausted } from "./backoff.ts";
import { deadLetter, errorOf } from "./dead-letter.ts";
import {
  type Envelope,
  type EnvelopeItem,
  fits,
  pack,
  type Route,
  routeHeaders,
  routeKey,
  tooLarge,
  unpack,
} from "./envelope.ts";
import { type ParkItem, parkEnvelopes } from "./mover.ts";
import { isOutage } from "./outage.ts";
import { type Item, type Outcome, retry, type Tries, type Work } from "./outcome.ts";
import type { Delivery } from "./puller.ts";

/** One item of a batch on its way through the actor. */
export interface Entry<T extends Item> {
  work: Work<T>;
  tries: Tries | undefined;
  route: Route;
  delivery: Delivery;
  /** The `traceparent` of its successor, where that is another than its own. */
  onward?: string;
  /** null until the handler has spoken. */
  outcome: Outcome<T> | null;
}

/** A message to publish before the batch is acknowledged. */
export interface Parcel {
  subject: string;
  envelope: Envelope;
}

export interface SettleContext {
  names: Names;
  options: StageOptions & { name: string };
  next: string | null;
  now: number;
  random(): number;
}

/**
 * What a batch's outcomes ask to be published: successors into the next mailbox, retries and waits into the park, and
 * dead letters. The same entries, clock and dice give the same parcels. An item that has outgrown any message gets the
 * outcome of a failure that no retry can mend.
 */
export function settle<T extends Item>(
  entries: readonly Entry<T>[],
  context: SettleContext,
): { parcels: Parcel[]; dead: Entry<T>[] } {
  try {
    return parcelsOf(entries, context);
  } catch (error) {
    if ((error as LeadsError).type !== "ENVELOPE") throw error;
    for (const entry of entries) {
      const item = itemOf(entry, context);
      if (item && !fits(JSON.stringify(item))) entry.outcome = retry(tooLarge(item.lead.leadId));
    }
    return parcelsOf(entries, context);
  }
}

function parcelsOf<T extends Item>(
  entries: readonly Entry<T>[],
  context: SettleContext,
): { parcels: Parcel[]; dead: Entry<T>[] } {
  const { names, options, next, now } = context;
  const parcels: Parcel[] = [];
  const dead: Entry<T>[] = [];
  const forwards = new Map<string, { route: Route; items: EnvelopeItem<T>[] }>();
  const parked = new Map<string, { route: Route; items: ParkItem<T>[] }>();
  const keyOf = routeKeys();
  const group = <V>(groups: Map<string, { route: Route; items: V[] }>, route: Route): V[] => {
    const key = keyOf(route);
    const found = groups.get(key);
    if (found) return found.items;
    const items: V[] = [];
    groups.set(key, { route, items });
    return items;
  };

  for (const entry of entries) {
    const { route } = entry;
    const outcome = entry.outcome!;
    switch (outcome.kind) {
      case "forward":
        group(forwards, entry.onward === undefined ? route : { ...route, traceparent: entry.onward }).push(
          itemOf(entry, context)!,
        );
        break;
      case "complete":
      case "merge":
      case "reject":
      case "drop":
        break;
      case "wait":
      case "retry": {
        const item = itemOf(entry, context);
        if (!item) {
          dead.push(entry);
          break;
        }
        const until =
          outcome.kind === "wait" ? outcome.until : now + retryMs(context, outcome.error, item.tries!.count);
        group(parked, route).push({ item, until, seq: entry.delivery.seq });
        break;
      }
      default:
        outcome satisfies never;
    }
  }

  for (const { route, items } of forwards.values()) {
    const subject = names.mailbox(next!).subject(route.lane);
    for (const envelope of pack(route, items)) parcels.push({ subject, envelope });
  }
  for (const { route, items } of parked.values()) parcels.push(...parkEnvelopes(names, options.name, route, items));
  for (const entry of dead) parcels.push(deadParcel(context, entry));
  return { parcels, dead };
}

/** Keys of routes; the leads of an envelope share one and stand together. */
function routeKeys(): (route: Route) => string {
  let last: Route | undefined;
  let key = "";
  return (route) => {
    if (route !== last) key = routeKey(route);
    last = route;
    return key;
  };
}

/** What travels on of an entry; null when nothing does: it has ended, or is dead. */
function itemOf<T extends Item>(entry: Entry<T>, { options, now }: SettleContext): EnvelopeItem<T> | null {
  const { outcome, tries } = entry;
  const { lead } = entry.work;
  switch (outcome!.kind) {
    case "forward":
      return { lead: outcome!.lead };
    case "wait":
      return tries ? { lead, tries } : { lead };
    case "retry": {
      const after = failed(entry, outcome!.error, now);
      return isHopeless(outcome!.error) || exhausted(options.retry, after.count) ? null : { lead, tries: after };
    }
    default:
      return null;
  }
}

/** No later try can succeed. What looks like an outage may pass, whatever its error says of retrying the call. */
function isHopeless(error: Error & { retryable?: boolean }): boolean {
  return error.retryable === false && !isOutage(error);
}

/** An outage that only this lead meets may yet be one: its tries are spread as wide as the policy goes. */
function retryMs({ options, random }: SettleContext, error: Error, count: number): number {
  return isOutage(error)
    ? Math.floor(options.retry.maxMs * (0.9 + random() * 0.1))
    : backoffMs(options.retry, count, random());
}

function failed<T extends Item>(entry: Entry<T>, error: Error, now: number): Tries {
  return {
    count: (entry.tries?.count ?? 0) + 1,
    firstAt: entry.tries?.firstAt ?? now,
    lastAt: now,
    error: errorOf(error),
  };
}

function deadParcel<T extends Item>({ names, options, now }: SettleContext, entry: Entry<T>): Parcel {
  const { route, delivery } = entry;
  const tries = failed(entry, (entry.outcome as { error: Error }).error, now);
  const from = { stream: names.mailbox(options.name).stream, seq: delivery.seq };
  let { lead } = entry.work;
  // What the stage made of the lead may have outgrown any message; what it was given came in one.
  if (!fits(JSON.stringify(lead))) lead = asDelivered<T>(delivery, lead.leadId) ?? lead;
  const h = routeHeaders(route, 1);
  h.set(headers.stage, options.name);
  h.set(headers.msgId, `dead.${options.name}.${lead.leadId}.${lead.revision}.${tries.firstAt}`);
  return {
    subject: names.dead.subject(options.name, route.tenant),
    envelope: {
      data: new TextEncoder().encode(JSON.stringify(deadLetter(options.name, from, route, { lead, tries }))),
      headers: h,
      count: 1,
    },
  };
}

function asDelivered<T extends Item>({ msg }: Delivery, leadId: string): T | undefined {
  return unpack<T>(msg.data, msg.headers).items.find(({ lead }) => lead.leadId === leadId)?.lead;
}

/** The verdict on a lead that was in hand each time its worker died. */
export function crashLoop(deaths: number): LeadsError {
  return new LeadsError("CRASH_LOOP", `its worker died ${deaths} times while it was handled alone`);
}

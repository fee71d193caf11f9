import { headers, type Names } from "../../config/names.ts";
import type { StageOptions } from "../../config/pipeline.ts";
import { LeadsError } from "../errors.ts";
import { backoffMs, exhausted } from "./backoff.ts";
import { deadLetter, errorOf } from "./dead-letter.ts";
import {
  type Envelope,
  type EnvelopeItem,
  maxItemBytes,
  pack,
  type Route,
  routeHeaders,
  routeKey,
} from "./envelope.ts";
import { parkEnvelopes } from "./mover.ts";
import type { Item, Outcome, Tries, Work } from "./outcome.ts";
import type { Delivery } from "./puller.ts";

/** One item of a batch on its way through the actor. */
export interface Entry<T extends Item> {
  work: Work<T>;
  tries: Tries | undefined;
  route: Route;
  delivery: Delivery;
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
 * dead letters. Pure: the same entries, clock and dice give the same parcels.
 */
export function settle<T extends Item>(
  entries: readonly Entry<T>[],
  context: SettleContext,
): { parcels: Parcel[]; dead: Entry<T>[] } {
  const { names, options, next, now } = context;
  const parcels: Parcel[] = [];
  const dead: { entry: Entry<T>; tries: Tries }[] = [];
  const forwards = new Map<string, { route: Route; items: EnvelopeItem<T>[]; entries: Entry<T>[] }>();
  const parked = new Map<string, { route: Route; items: { item: EnvelopeItem<T>; until: number }[] }>();
  const group = <V>(groups: Map<string, V>, route: Route, make: () => V): V => {
    const key = routeKey(route);
    const found = groups.get(key) ?? make();
    groups.set(key, found);
    return found;
  };

  for (const entry of entries) {
    const { outcome, route, work } = entry;
    switch (outcome!.kind) {
      case "forward": {
        const forwarded = group(forwards, route, () => ({ route, items: [], entries: [] }));
        forwarded.items.push({ lead: outcome!.lead });
        forwarded.entries.push(entry);
        break;
      }
      case "complete":
      case "merge":
      case "reject":
        break;
      case "wait":
        group(parked, route, () => ({ route, items: [] })).items.push({
          item: { lead: work.lead, ...(entry.tries ? { tries: entry.tries } : {}) },
          until: outcome!.until,
        });
        break;
      case "retry": {
        const tries = failed(entry, outcome!.error, now);
        if ((outcome!.error as { retryable?: boolean }).retryable === false || exhausted(options.retry, tries.count))
          dead.push({ entry, tries });
        else
          group(parked, route, () => ({ route, items: [] })).items.push({
            item: { lead: work.lead, tries },
            until: now + backoffMs(options.retry, tries.count, context.random()),
          });
        break;
      }
      default:
        outcome satisfies never;
    }
  }

  for (const { route, items, entries: from } of forwards.values()) {
    const subject = names.mailbox(next!).subject(route.lane);
    const oversized = (entry: Entry<T>, error: Error) => dead.push({ entry, tries: failed(entry, error, now) });
    for (const envelope of packEach(route, items, (n, error) => oversized(from[n]!, error)))
      parcels.push({ subject, envelope });
  }
  for (const { route, items } of parked.values()) parcels.push(...parkEnvelopes(names, options.name, route, items));
  for (const { entry, tries } of dead) parcels.push(deadParcel(context, entry, tries));
  return { parcels, dead: dead.map(({ entry }) => entry) };
}

/** {@link pack}, but an item too large for any message is told apart instead of spoiling the rest. */
function packEach<T extends Item>(
  route: Route,
  items: EnvelopeItem<T>[],
  tooLarge: (index: number, error: Error) => void,
): Envelope[] {
  try {
    return pack(route, items);
  } catch {
    return items.flatMap((item, n) => {
      try {
        return pack(route, [item]);
      } catch (error) {
        tooLarge(n, error as Error);
        return [];
      }
    });
  }
}

function failed<T extends Item>(entry: Entry<T>, error: Error, now: number): Tries {
  return {
    count: (entry.tries?.count ?? 0) + 1,
    firstAt: entry.tries?.firstAt ?? now,
    lastAt: now,
    error: errorOf(error),
  };
}

function deadParcel<T extends Item>({ names, options }: SettleContext, entry: Entry<T>, tries: Tries): Parcel {
  const { route, delivery } = entry;
  const from = { stream: names.mailbox(options.name).stream, seq: delivery.seq };
  let body = JSON.stringify(deadLetter(options.name, from, route, { lead: entry.work.lead, tries }));
  if (body.length > maxItemBytes) {
    // What a stage found out outgrew any message: the lead is kept, its facts are not.
    body = JSON.stringify(deadLetter(options.name, from, route, { lead: { ...entry.work.lead, facts: {} }, tries }));
  }
  const h = routeHeaders(route, 1);
  h.set(headers.stage, options.name);
  h.set(headers.msgId, `dead.${options.name}.${entry.work.lead.leadId}.${entry.work.lead.revision}.${tries.firstAt}`);
  return {
    subject: names.dead.subject(options.name, route.tenant),
    envelope: { data: new TextEncoder().encode(body), headers: h, count: 1 },
  };
}

/** The verdict on a lead that was in hand each time its worker died. */
export function crashLoop(deaths: number): LeadsError {
  return new LeadsError("CRASH_LOOP", `its worker died ${deaths} times while it was handled alone`);
}

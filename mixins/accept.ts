import type { NatsConnection } from "nats";
import { headers, type Lane } from "../config/names.ts";
import { type Envelope, maxBytes, maxLeads, pack, type Route, routeHeaders } from "./actor/envelope.ts";
import type { Item } from "./actor/outcome.ts";
import { Publisher } from "./actor/publisher.ts";
import { LeadsError } from "./errors.ts";
import { errCodes, JetStreamError, jsApi } from "./jetstream.ts";
import type { Resources } from "./resources.ts";
import { traced } from "./trace/scope.ts";

/** Where a lead comes from, for headers and logs. */
export interface Origin {
  tenant: string;
  requestId: string;
  /** W3C traceparent */
  traceparent: string;
  importId?: string;
}

/** Writes the rows of one upload into the intake: envelopes of up to 50 leads or 64 kB, a bounded window in flight. */
export interface BulkWriter<T extends Item> {
  /** Resolves as soon as there is room for the next row: a full intake or a slow server pushes back here. */
  write(lead: T): Promise<void>;
  /** Leads that JetStream has acknowledged so far. */
  readonly accepted: number;
  /** Resolves when everything written is stored. Throws what stopped it (`MAILBOX_FULL`, `OUTAGE`). */
  end(): Promise<void>;
}

/**
 * Takes leads in: accepted means stored (invariant 1). The envelope is stored first, then the note in the `accepted`
 * stream from which the record learns of the lead: a crash between the two leaves a lead that flows and of which nobody
 * was told yet, never one that was promised and is nowhere.
 */
export interface Acceptor {
  /** One lead on the live lane. Resolves when JetStream has it; throws `MAILBOX_FULL` or `OUTAGE` otherwise. */
  one(lead: Item, origin: Origin): Promise<void>;
  /** Is this lead accepted but not yet in the record? (Leads taken in by {@link one}.) */
  isQueued(tenant: string, leadId: string): Promise<boolean>;
  bulk<T extends Item>(
    origin: Origin,
    options?: { /** How long a full intake is waited for. */ fullForMs?: number },
  ): BulkWriter<T>;
  close(): void;
}

/** How long the edge waits for JetStream before it says that it is down. */
const timeoutMs = 5_000;
/** Envelopes of one upload that are under way at once. */
const window = 64;

/** @param onAccepted told of leads that JetStream has, for the count of them */
export function acceptor(resources: Resources, onAccepted: (lane: Lane, leads: number) => void = () => {}): Acceptor {
  const { names, flow } = resources;
  const first = names.mailbox(flow[0]!.name);
  let publisher: Publisher | undefined;
  let nc: NatsConnection | undefined;
  const open = async () => {
    nc = await resources.nats();
    publisher ??= new Publisher(nc);
    return publisher;
  };

  return {
    async one(lead, origin) {
      const route: Route = { ...routeOf(origin), lane: "live" };
      const [envelope] = pack(route, [{ lead }]) as [Envelope];
      const out = await open();
      await traced({ name: "accept", kind: "PRODUCER", remote: "nats" }, async () => {
        await out.publish(first.subject("live"), envelope.data, envelope.headers, { full: "throw", timeoutMs });
        await out.publish(names.accepted.one(origin.tenant, lead.leadId), new Uint8Array(), acceptedHeaders(route, 1), {
          full: "throw",
          timeoutMs,
        });
      });
      onAccepted("live", 1);
    },
    async isQueued(tenant, leadId) {
      await open();
      try {
        await jsApi(nc!, `STREAM.MSG.GET.${names.accepted.stream}`, {
          last_by_subj: names.accepted.one(tenant, leadId),
        });
        return true;
      } catch (error) {
        if (error instanceof JetStreamError && (error.errCode === errCodes.messageNotFound || error.code === 404))
          return false;
        throw error;
      }
    },
    bulk<T extends Item>(origin: Origin, { fullForMs = 30_000 } = {}) {
      return new IntakeWriter<T>(open, names, { ...routeOf(origin), lane: "bulk" }, fullForMs, (leads) =>
        onAccepted("bulk", leads),
      );
    },
    close() {
      publisher?.close();
      publisher = undefined;
    },
  };
}

function routeOf({ tenant, requestId, traceparent, importId }: Origin): Omit<Route, "lane"> {
  return { tenant, requestId, traceparent, ...(importId ? { importId } : {}) };
}

function acceptedHeaders(route: Route, count: number) {
  const h = routeHeaders(route, count);
  h.delete(headers.lane);
  return h;
}

class IntakeWriter<T extends Item> implements BulkWriter<T> {
  accepted = 0;
  readonly #open: () => Promise<Publisher>;
  readonly #names: Resources["names"];
  readonly #route: Route;
  readonly #fullForMs: number;
  readonly #onAccepted: (leads: number) => void;
  #buffer: T[] = [];
  #bytes = 0;
  readonly #flying = new Set<Promise<void>>();
  #failure: unknown;

  constructor(
    open: () => Promise<Publisher>,
    names: Resources["names"],
    route: Route,
    fullForMs: number,
    onAccepted: (leads: number) => void,
  ) {
    this.#open = open;
    this.#names = names;
    this.#route = route;
    this.#fullForMs = fullForMs;
    this.#onAccepted = onAccepted;
  }

  async write(lead: T): Promise<void> {
    if (this.#failure) throw this.#failure;
    this.#buffer.push(lead);
    // An estimate: the exact cut is the envelope's own.
    this.#bytes += approximateSize(lead);
    if (this.#buffer.length >= maxLeads || this.#bytes >= maxBytes) await this.#flush();
  }

  async end(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      // What is under way when something failed is stored or not: `accepted` counts it before the caller is told.
      await Promise.all(this.#flying);
    }
    if (this.#failure) throw this.#failure;
  }

  async #flush(): Promise<void> {
    const leads = this.#buffer;
    this.#buffer = [];
    this.#bytes = 0;
    if (leads.length === 0) return;
    const envelopes = pack(
      this.#route,
      leads.map((lead) => ({ lead })),
    );
    let at = 0;
    for (const envelope of envelopes) {
      const ids = leads.slice(at, at + envelope.count).map((lead) => lead.leadId);
      at += envelope.count;
      while (this.#flying.size >= window) await Promise.race(this.#flying);
      if (this.#failure) throw this.#failure;
      const flight: Promise<void> = this.#store(envelope, ids)
        .catch((error) => {
          this.#failure ??= error;
        })
        .finally(() => this.#flying.delete(flight));
      this.#flying.add(flight);
    }
  }

  async #store(envelope: Envelope, ids: string[]): Promise<void> {
    const { tenant } = this.#route;
    const out = await this.#open();
    const until = Date.now() + this.#fullForMs;
    for (;;) {
      try {
        await out.publish(this.#names.intake.subject(tenant), envelope.data, envelope.headers, {
          full: "throw",
          timeoutMs,
        });
        break;
      } catch (error) {
        if (!(error instanceof LeadsError) || error.type !== "MAILBOX_FULL" || Date.now() >= until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    const h = acceptedHeaders(this.#route, ids.length);
    h.set(headers.msgId, `accepted.${envelope.headers.get(headers.msgId)}`);
    await out.publish(this.#names.accepted.many(tenant), packIds(ids), h, { full: "throw", timeoutMs });
    this.accepted += ids.length;
    this.#onAccepted(ids.length);
  }
}

/** Characters of a lead's text and address, and about what the rest of its JSON takes. */
function approximateSize(lead: Item): number {
  const fields = (lead as Item & { fields?: Record<string, unknown> }).fields;
  let size = 400;
  for (const value of Object.values(fields ?? {})) size += typeof value === "string" ? value.length : 60;
  return size;
}

/** UUIDs as 16 bytes each. */
function packIds(ids: readonly string[]): Uint8Array {
  const bytes = Buffer.alloc(ids.length * 16);
  for (const [n, id] of ids.entries()) {
    if (bytes.write(id.replaceAll("-", ""), n * 16, "hex") !== 16)
      throw new LeadsError("MALFORMED", `"${id}" is no UUID`);
  }
  return bytes;
}

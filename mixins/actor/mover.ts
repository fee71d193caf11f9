import type { NatsConnection } from "nats";
import { headers, lanes, type Names } from "../../config/names.ts";
import { type Envelope, type EnvelopeItem, pack, type Route } from "./envelope.ts";
import type { Item } from "./outcome.ts";
import type { Publisher } from "./publisher.ts";
import { ackBody, type Delivery, Puller } from "./puller.ts";

/**
 * Parking: leads that wait for a moment rest as message schedules in a stream of their own, where they hold no place in
 * any mailbox. When its time has come the server moves an envelope to the stage's due subject; the mover publishes it
 * into the mailbox, waits while that is full, and acknowledges last.
 */

/** Leads of one route whose moments fall into the same slot share a schedule. */
const slotMs = 250;

/** Envelopes, each with its schedule's headers, for items that wait until their moment (ms since 1970). */
export function parkEnvelopes<T extends Item>(
  names: Names,
  stage: string,
  route: Route,
  items: readonly { item: EnvelopeItem<T>; until: number }[],
): { subject: string; envelope: Envelope }[] {
  const slots = new Map<number, EnvelopeItem<T>[]>();
  for (const { item, until } of items) {
    const slot = Math.ceil(until / slotMs) * slotMs;
    const slotted = slots.get(slot);
    if (slotted) slotted.push(item);
    else slots.set(slot, [item]);
  }
  return [...slots].flatMap(([slot, slotted]) =>
    pack(route, slotted).map((envelope) => {
      const id = `${envelope.headers.get(headers.msgId)}${slot.toString(36)}`;
      envelope.headers.set(headers.msgId, id);
      envelope.headers.set(headers.stage, stage);
      envelope.headers.set(headers.schedule, `@at ${new Date(slot).toISOString()}`);
      envelope.headers.set(headers.scheduleTarget, names.park.due(stage, route.lane));
      return { subject: names.park.schedule(stage, id), envelope };
    }),
  );
}

export interface MoverOptions {
  nc: NatsConnection;
  names: Names;
  stage: string;
  publisher: Publisher;
  signal: AbortSignal;
  ackWaitMs: number;
  watchdogMs: number;
  ensure(): Promise<void>;
  log(level: "warn" | "info", message: string, fields: object): void;
}

/** Moves a stage's due envelopes back into its mailbox. Every instance of the stage runs one. */
export class Mover {
  readonly #options: MoverOptions;
  readonly #puller: Puller;
  readonly #hand = new Set<Delivery>();
  readonly #beat: NodeJS.Timeout;

  constructor(options: MoverOptions) {
    this.#options = options;
    const { nc, names, stage, watchdogMs, ensure, log } = options;
    this.#puller = new Puller(nc, {
      stream: names.park.stream,
      consumer: names.park.consumer(stage),
      leadsAhead: 500,
      leadsPerEnvelope: 1,
      watchdogMs,
      ensure,
      log,
      onDelivery: (delivery) => void this.#move(delivery),
    });
    this.#beat = setInterval(() => {
      for (const { msg } of this.#hand) if (!nc.isClosed()) msg.respond(ackBody.working);
    }, options.ackWaitMs / 3);
  }

  start(): void {
    this.#puller.start();
  }

  reconnected(): void {
    this.#puller.reconnected();
  }

  async stop(): Promise<void> {
    await this.#puller.stop();
    clearInterval(this.#beat);
  }

  get inHand(): number {
    return this.#hand.size;
  }

  async #move(delivery: Delivery): Promise<void> {
    const { nc, names, stage, publisher, signal, log } = this.#options;
    this.#hand.add(delivery);
    try {
      const { msg, seq } = delivery;
      const lane = lanes.find((l) => names.park.due(stage, l) === msg.subject) ?? "bulk";
      const h = msg.headers!;
      h.delete("Nats-Scheduler");
      h.delete("Nats-Schedule-Next");
      h.set(headers.msgId, `${stage}.due.${seq}`);
      await publisher.publish(names.mailbox(stage).subject(lane), msg.data, h, { full: "wait", signal });
      msg.respond(ackBody.ack);
    } catch (error) {
      if (!signal.aborted) log("warn", "could not move a due envelope", { stage, error: (error as Error).message });
      if (!nc.isClosed()) delivery.msg.respond(ackBody.nak);
    } finally {
      this.#hand.delete(delivery);
      this.#puller.done(delivery);
    }
  }
}

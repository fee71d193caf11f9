import { headers as natsHeaders } from "nats";
import { headers, type Names } from "../../config/names.ts";
import { type Envelope, type EnvelopeItem, pack, type Route } from "./envelope.ts";
import { sleep } from "./outage.ts";
import type { Item } from "./outcome.ts";
import { type OverdueOptions, wakeOverdue } from "./overdue.ts";
import { ackBody, type Delivery, Puller } from "./puller.ts";

/**
 * Parking: leads that wait for a moment rest as message schedules in a stream of their own, where they hold no place in
 * any mailbox. When its time has come the server moves an envelope to the stage's due subject; the mover publishes it
 * into the mailbox, waits while that is full, and acknowledges last.
 */

/** Leads of one route whose moments fall into the same slot share a schedule. */
const slotMs = 250;
/** The last moment that RFC 3339 can write. */
const lastMoment = Date.UTC(9999, 11, 31);

/** A mover looks for overdue envelopes at most once in so many turns of its watchdog, and takes for overdue what is late by that. */
const overdueWatchdogs = 6;

export interface ParkItem<T extends Item> {
  item: EnvelopeItem<T>;
  /** ms since 1970 */
  until: number;
  /** Of the mailbox message it came in: one that comes back and waits for the same moment once more is no repeat. */
  seq: number;
}

/** Envelopes of up to `limit` leads, each with its schedule's headers, for items that wait until their moment. */
export function parkEnvelopes<T extends Item>(
  names: Names,
  stage: string,
  route: Route,
  items: readonly ParkItem<T>[],
  limit?: number,
): { subject: string; envelope: Envelope }[] {
  const slots = Map.groupBy(items, ({ until }) => {
    return Math.ceil(Math.min(Math.max(until, 0), lastMoment) / slotMs) * slotMs;
  });
  return [...slots].flatMap(([slot, slotted]) =>
    pack(
      route,
      slotted.map(({ item }) => item),
      limit,
    ).map((envelope, n) => {
      const id = [envelope.headers.get(headers.msgId), slotted[0]!.seq, slot, n].join("-");
      envelope.headers.set(headers.msgId, id);
      envelope.headers.set(headers.stage, stage);
      envelope.headers.set(headers.schedule, `@at ${new Date(slot).toISOString()}`);
      envelope.headers.set(headers.scheduleTarget, names.park.due(stage, route.lane));
      return { subject: names.park.schedule(stage, route.lane, id), envelope };
    }),
  );
}

export interface MoverOptions extends OverdueOptions {
  ackWaitMs: number;
  watchdogMs: number;
  ensure(): Promise<void>;
  log(level: "warn" | "info", message: string, fields: object): void;
}

/** Moves a stage's due envelopes of one lane back into its mailbox. Every instance of the stage runs one a lane. */
export class Mover {
  readonly #options: MoverOptions;
  readonly #puller: Puller;
  readonly #hand = new Set<Delivery>();
  readonly #beat: NodeJS.Timeout;
  readonly #stop = new AbortController();

  constructor(options: MoverOptions) {
    this.#options = options;
    const { nc, names, stage, lane, watchdogMs, ensure, log } = options;
    this.#puller = new Puller(nc, {
      stream: names.park.stream,
      consumer: names.park.consumer(stage, lane),
      leadsAhead: 500,
      askForLeads: 250,
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
    void this.#watchOverdue();
  }

  reconnected(): void {
    this.#puller.reconnected();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#puller.stop();
    clearInterval(this.#beat);
  }

  get inHand(): number {
    return this.#hand.size;
  }

  /** Looks for what the server has forgotten. */
  async #watchOverdue(): Promise<void> {
    const { stage, lane, watchdogMs, log } = this.#options;
    const { signal } = this.#stop;
    const everyMs = watchdogMs * overdueWatchdogs;
    for (;;) {
      // Instances that started together do not look together.
      await sleep(everyMs * (0.5 + Math.random() / 2), signal).catch(() => {});
      if (signal.aborted) return;
      try {
        const woken = await wakeOverdue({ ...this.#options, signal }, Date.now() - everyMs);
        if (woken > 0)
          log("warn", "parked envelopes were overdue: their schedules are put again", { stage, lane, woken });
      } catch (error) {
        if (signal.aborted) return;
        log("warn", "could not look for overdue envelopes", { stage, lane, error: (error as Error).message });
      }
    }
  }

  async #move(delivery: Delivery): Promise<void> {
    const { nc, names, stage, lane, publisher, signal, log } = this.#options;
    this.#hand.add(delivery);
    try {
      const { msg, seq } = delivery;
      const h = msg.headers ?? natsHeaders();
      h.delete("Nats-Scheduler");
      h.delete("Nats-Schedule-Next");
      // The time beside the sequence: a store that lost its end in a crash gives sequences again.
      h.set(headers.msgId, `${stage}.due.${seq}.${delivery.storedAt}`);
      await publisher.publish(names.mailbox(stage).subject(lane), msg.data, h, { full: "wait", signal });
      msg.respond(ackBody.ack);
    } catch (error) {
      if (!signal.aborted) log("warn", "could not move a due envelope", { stage, error: (error as Error).message });
      // Not at once, or a fault of the mesh itself would become a hot loop.
      await sleep(1_000, signal).catch(() => {});
      if (!nc.isClosed()) delivery.msg.respond(ackBody.nak);
    } finally {
      this.#hand.delete(delivery);
      this.#puller.done(delivery);
    }
  }
}

import { type Msg, type NatsConnection, nuid, type Subscription } from "nats";
import { consumerInfo } from "../jetstream.ts";
import { countOf } from "./envelope.ts";
import { sleep } from "./outage.ts";
import { inboxPrefix } from "./publisher.ts";

/** One message in hand, to be acknowledged or handed back. */
export interface Delivery {
  msg: Msg;
  /** Leads inside, by the header. */
  count: number;
  /** 1 for the first time. */
  deliveries: number;
  /** Sequence in the stream. */
  seq: number;
  /** When the message entered the stream, ms since 1970. */
  storedAt: number;
  receivedAt: number;
  /** When JetStream last heard that it is worked on. */
  touchedAt: number;
  /** Others stood behind it in the mailbox, and are asked for: they are on their way. */
  more: boolean;
}

export interface PullerOptions {
  stream: string;
  consumer: string;
  /** Leads to hold in hand and in the buffer at the most (about: an envelope's count is known when it is here). */
  leadsAhead: number;
  /** Asks for more when there is room for so many leads: a request for each envelope would cost a message each. */
  askForLeads: number;
  /** What to expect of an envelope before the first ones tell. */
  leadsPerEnvelope: number;
  watchdogMs: number;
  onDelivery(delivery: Delivery): void;
  /** Makes the consumer again when it is gone. */
  ensure(): Promise<void>;
  log(level: "warn" | "info", message: string, fields: object): void;
}

/**
 * Life of one pull request: a drain waits for its end, so that it need not lose a delivery that is already on its way. Two in a
 * second that say they are over are as many messages as one whose heart beats meanwhile.
 */
const expiresMs = 500;
/** Silence after which a pull request is dead: it should have been over. */
const deadAfterMs = expiresMs + 1_000;
/** What has been sent by now is here. */
const arrivesMs = 400;
/** Envelopes asked for in one request. */
const maxBatch = 256;

/**
 * Pulls from one durable consumer: asks for as much as there is room for, and notices when nothing comes any more. Each
 * request lives {@link expiresMs} at the most; one that falls silent (a cut connection, a deleted consumer, a new leader) is
 * replaced. A watchdog compares silence with the consumer's own backlog.
 */
export class Puller {
  readonly #nc: NatsConnection;
  readonly #options: PullerOptions;
  #inbox = "";
  #sub: Subscription | undefined;
  /**
   * The request under way: how many envelopes it may still bring, and when it was last heard of. One at a time: a
   * delivery does not say which request it answers, so with two the count of what is coming would be a guess.
   */
  #request: { token: string; left: number; heardAt: number } | null = null;
  #sequence = 0;
  #inHand = 0;
  #running = false;
  #mending = false;
  #perEnvelope: number;
  /** Since when something was asked for and nothing came. */
  #waitingSince: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #nextWatch = 0;
  #drained: (() => void)[] = [];

  constructor(nc: NatsConnection, options: PullerOptions) {
    this.#nc = nc;
    this.#options = options;
    this.#perEnvelope = options.leadsPerEnvelope;
  }

  get running(): boolean {
    return this.#running;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#waitingSince = null;
    this.#nextWatch = Date.now() + this.#options.watchdogMs;
    // Started again while the last requests run out: their ear is still there.
    if (!this.#sub) this.#subscribe();
    this.#timer ??= setInterval(() => this.#tick(), 250);
    this.#ask();
  }

  /** Asks for no more; resolves when nothing is on its way any more, so that no delivery is lost to a redelivery. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#tick();
    if (this.#request && !this.#nc.isClosed()) await new Promise<void>((resolve) => this.#drained.push(resolve));
    if (this.#running) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sub?.unsubscribe();
    this.#sub = undefined;
  }

  /**
   * Takes back what was asked for; resolves when the server has forgotten it, and what it had sent before is delivered.
   * A server whose request nobody listens for any more keeps the message. In a cluster another server may hear of it a
   * moment late: what it sends just then comes again when its ack wait is over. {@link stop} takes longer, and avoids that.
   */
  async cancel(): Promise<void> {
    const sub = this.#sub;
    this.#running = false;
    this.#sub = undefined;
    this.#request = null;
    this.#settle();
    clearInterval(this.#timer);
    this.#timer = undefined;
    // What is on its way is still heard until the server has answered. Without a connection there is nothing to take back.
    await sub?.drain().catch(() => {});
  }

  /** A delivery was acknowledged or handed back: there is room again. */
  done(delivery: Delivery): void {
    this.#inHand -= delivery.count;
    if (this.#running) this.#ask();
  }

  /** The connection is back: what was asked for before is gone. */
  reconnected(): void {
    this.#end();
  }

  #subscribe(): void {
    this.#sub?.unsubscribe();
    this.#request = null;
    const inbox = `${inboxPrefix(this.#nc)}.${nuid.next()}`;
    this.#inbox = inbox;
    this.#sub = this.#nc.subscribe(`${inbox}.*`, { callback: (error, msg) => !error && this.#receive(msg, inbox) });
  }

  /** `inbox`: where it came in. What comes late to one that was given up is no answer to the request under way. */
  #receive(msg: Msg, inbox: string): void {
    const request = inbox === this.#inbox ? this.#request : null;
    const code = msg.headers?.code ?? 0;
    if (code > 0) {
      // A status comes under the request's own subject, a delivery under the stream's.
      if (msg.subject.slice(inbox.length + 1) !== request?.token) return;
      // 404/408: nothing there, or its time is up. 503 (nobody listens) and a deleted consumer: it must be made again.
      if (code === 503 || /deleted/i.test(msg.headers?.description ?? "")) void this.#mend(`consumer gone (${code})`);
      if (code < 409) this.#end();
      else this.#request = null;
      this.#settle();
      return;
    }
    if (!msg.reply) return;
    const delivery = deliveryOf(msg, request !== null && request.left > 1);
    this.#inHand += delivery.count;
    this.#perEnvelope += (delivery.count - this.#perEnvelope) * 0.1;
    if (request) {
      request.heardAt = delivery.receivedAt;
      request.left--;
    }
    this.#waitingSince = request && request.left > 0 ? delivery.receivedAt : null;
    this.#options.onDelivery(delivery);
    if (request && request.left <= 0) this.#end();
  }

  /** The request is over; asks again when there is room. */
  #end(): void {
    this.#request = null;
    this.#settle();
    if (this.#running) this.#ask();
  }

  #ask(): void {
    if (this.#request || this.#nc.isClosed()) return;
    const { stream, consumer, leadsAhead, askForLeads } = this.#options;
    const room = leadsAhead - this.#inHand;
    if (room < askForLeads) return;
    const batch = Math.max(1, Math.min(maxBatch, Math.floor(room / this.#perEnvelope)));
    const token = (this.#sequence++).toString(36);
    this.#request = { token, left: batch, heardAt: Date.now() };
    this.#waitingSince ??= this.#request.heardAt;
    this.#nc.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
      `{"batch":${batch},"expires":${expiresMs * 1e6}}`,
      { reply: `${this.#inbox}.${token}` },
    );
  }

  #tick(): void {
    const now = Date.now();
    if (this.#request && now - this.#request.heardAt > deadAfterMs) this.#request = null;
    this.#settle();
    if (!this.#running) return;
    this.#ask();
    if (now < this.#nextWatch) return;
    this.#nextWatch = now + this.#options.watchdogMs;
    if (this.#waitingSince !== null && now - this.#waitingSince > this.#options.watchdogMs) void this.#watch();
  }

  /** Silent for a while: is there a backlog that it could have? Then this consumer, or our ear, is broken. */
  async #watch(): Promise<void> {
    const { stream, consumer } = this.#options;
    const since = this.#waitingSince;
    try {
      const info = await consumerInfo(this.#nc, stream, consumer);
      if (info.num_pending === 0 || info.num_ack_pending >= info.config.max_ack_pending) return;
      // What came this very moment is still on its way.
      await sleep(arrivesMs);
      if (this.#waitingSince === since) await this.#mend(`silent with ${info.num_pending} envelopes waiting`);
    } catch (error) {
      if ((error as { errCode?: number }).errCode !== undefined) await this.#mend((error as Error).message);
    }
  }

  async #mend(why: string): Promise<void> {
    if (this.#mending || !this.#running) return;
    this.#mending = true;
    const { stream, consumer, log, ensure } = this.#options;
    log("warn", "mending a consumer", { stream, consumer, why });
    try {
      await ensure();
      if (this.#running) {
        this.#subscribe();
        this.#ask();
      }
    } catch (error) {
      log("warn", "could not mend a consumer yet", { stream, consumer, error: (error as Error).message });
    } finally {
      // The next tick asks again, and mends again when that fails too.
      this.#mending = false;
    }
  }

  #settle(): void {
    if (this.#request) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>` (9 tokens), or the longer
 * form with domain and account before the stream (ADR-15).
 */
export function deliveryOf(msg: Msg, isMoreAsked = false): Delivery {
  const tokens = msg.reply!.split(".");
  const at = tokens.length >= 11 ? 4 : 2;
  const now = Date.now();
  return {
    msg,
    count: countOf(msg.headers),
    deliveries: Number(tokens[at + 2]),
    seq: Number(tokens[at + 3]),
    storedAt: Number(tokens[at + 5]!.slice(0, -6)),
    receivedAt: now,
    touchedAt: now,
    more: isMoreAsked && tokens[at + 6] !== "0",
  };
}

/** JetStream's answers to a delivery, https://docs.nats.io/nats-concepts/jetstream/consumers#acknowledgement */
export const ackBody = {
  ack: new TextEncoder().encode("+ACK"),
  nak: new TextEncoder().encode("-NAK"),
  working: new TextEncoder().encode("+WPI"),
} as const;

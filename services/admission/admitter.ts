import { type Msg, type NatsConnection, headers as natsHeaders, nuid } from "nats";
import { headers, type Names } from "../../config/names.ts";
import { countOf, maxLeads } from "../../mixins/actor/envelope.ts";
import { sleep } from "../../mixins/actor/outage.ts";
import { inboxPrefix, type Publisher } from "../../mixins/actor/publisher.ts";
import { ackBody, deliveryOf } from "../../mixins/actor/puller.ts";
import { consumerInfo, ensureConsumer, jsApi } from "../../mixins/jetstream.ts";
import { Rounds, room } from "./rounds.ts";

export interface AdmitterOptions {
  nc: NatsConnection;
  names: Names;
  publisher: Publisher;
  /** All stages, in order. */
  stages: readonly string[];
  /** Envelopes a lane of a mailbox holds. */
  limit: number;
  log(level: "info" | "warn", message: string, fields: object): void;
}

/** How often the intake is looked at while there is nothing in it. */
const idleMs = 100;
/**
 * How soon the mailboxes are looked at again when they are deep enough. They hold half a second of work and more; a look
 * is a request to JetStream for each of them, and one for the intake.
 */
const fullMs = 50;
/** How long a tenant is left out when nothing of it can be fetched: what it has is in another instance's hands, or fails, ms. */
const restMs = 1_000;
/** How long a tenant's consumer is kept that nobody asks: a stream has a thousand of them at the most (NATS 2.15), ms. */
const forgottenMs = 600_000;
/** Envelopes of one tenant in hand at once. */
const most = 500;
const ackWaitMs = 30_000;
/** Time constant of the measured rate: batches come in bursts of some 10 ms. */
const smoothMs = 500;

/**
 * Moves bulk envelopes from the intake into the first mailbox, evenly over the tenants, and keeps all mailboxes shallow:
 * the deep backlog rests in the intake, where one tenant's million stands beside, not before, another's. What counts is
 * the bulk work in all stages: the first one may be fast and pile up its leads before the second. Acknowledges last; a
 * repeat is caught by `Nats-Msg-Id`, and harmless when it is not. Any number of instances share the consumers.
 */
export class Admitter {
  readonly #o: AdmitterOptions;
  readonly #rounds = new Rounds();
  readonly #known = new Set<string>();
  /** Tenants that are left out until then, ms since 1970. */
  readonly #resting = new Map<string, number>();
  /** Begins no further round. */
  readonly #stop = new AbortController();
  /** Waits no longer for a mailbox that is full. */
  readonly #abort = new AbortController();
  readonly #hand = new Set<Msg>();
  readonly #beat: NodeJS.Timeout;
  #left = 0;
  #leftAt = 0;
  #rate = 0;
  #loop: Promise<void> | undefined;

  constructor(options: AdmitterOptions) {
    this.#o = options;
    this.#beat = setInterval(() => {
      for (const msg of this.#hand) if (!options.nc.isClosed()) msg.respond(ackBody.working);
    }, ackWaitMs / 4);
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends after the round in hand; what cannot be moved within `deadlineMs` is handed back. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stop.abort();
    const late = setTimeout(() => this.#abort.abort(), deadlineMs);
    await this.#loop;
    clearTimeout(late);
    clearInterval(this.#beat);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await sleep(await this.#round(), signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#o.log("warn", "admission waits", { error: (error as Error).message });
        await sleep(1_000, signal).catch(() => {});
      }
    }
  }

  /** One round over the tenants; answers how long to rest. */
  async #round(): Promise<number> {
    const backlog = await this.#backlog();
    if (backlog.size === 0) return idleMs;
    const envelopes = await this.#room();
    if (envelopes === 0) return fullMs;
    // The room is in envelopes, fairness in leads; an envelope holds 50 at the most.
    const shares = this.#rounds.share(backlog, envelopes * maxLeads, Date.now());
    const scale = Math.min(1, envelopes / [...shares.values()].reduce((a, b) => a + b, 0));
    const moved = await Promise.all(
      [...shares].map(([tenant, share]) =>
        this.#tryMove(tenant, Math.min(most, Math.max(1, Math.floor(share * scale)))),
      ),
    );
    const sum = moved.reduce((a, b) => a + b, 0);
    if (sum === 0) return idleMs;
    return sum < envelopes ? 0 : fullMs;
  }

  /** tenant -> envelopes in the intake, but for those that rest. */
  async #backlog(): Promise<Map<string, number>> {
    const { nc, names } = this.#o;
    const info = await jsApi(nc, `STREAM.INFO.${names.intake.stream}`, { subjects_filter: names.intake.all });
    const prefix = names.intake.subject("");
    const now = Date.now();
    for (const [tenant, until] of this.#resting) if (until <= now) this.#resting.delete(tenant);
    return new Map(
      Object.entries<number>(info.state.subjects ?? {})
        .map(([subject, count]) => [subject.slice(prefix.length), count] as const)
        .filter(([tenant]) => !this.#resting.has(tenant)),
    );
  }

  async #room(): Promise<number> {
    const { nc, names, stages, limit } = this.#o;
    const infos = await Promise.all(
      stages.map((stage) => consumerInfo(nc, names.mailbox(stage).stream, names.mailbox(stage).consumer("bulk"))),
    );
    const now = Date.now();
    const depth = infos.reduce((sum, info) => sum + info.num_pending + info.num_ack_pending, 0);
    // All that ever came in, less what is still there.
    const left = infos[0]!.delivered.consumer_seq + infos[0]!.num_pending - depth;
    if (this.#leftAt > 0 && now > this.#leftAt) {
      const rate = Math.max(0, (left - this.#left) * 1_000) / (now - this.#leftAt);
      this.#rate += (rate - this.#rate) * (1 - Math.exp(-(now - this.#leftAt) / smoothMs));
    }
    this.#left = left;
    this.#leftAt = now;
    return room(depth, this.#rate, limit);
  }

  /** What one tenant fails by is nobody else's. */
  async #tryMove(tenant: string, envelopes: number): Promise<number> {
    try {
      const moved = await this.#move(tenant, envelopes);
      if (moved === 0 && this.#known.has(tenant)) this.#resting.set(tenant, Date.now() + restMs);
      return moved;
    } catch (error) {
      this.#resting.set(tenant, Date.now() + restMs);
      if (!this.#stop.signal.aborted)
        this.#o.log("warn", "admission of a tenant waits", { tenant, error: (error as Error).message });
      return 0;
    }
  }

  /** Moves up to `envelopes` of a tenant; answers how many it moved. */
  async #move(tenant: string, envelopes: number): Promise<number> {
    const { names, publisher, stages } = this.#o;
    const messages = await this.#fetch(tenant, envelopes);
    let leads = 0;
    const subject = names.mailbox(stages[0]!).subject("bulk");
    await Promise.all(
      messages.map(async (msg) => {
        try {
          const h = msg.headers ?? natsHeaders();
          leads += countOf(h);
          // The time beside the sequence: a store that lost its end in a crash gives sequences again.
          const { seq, storedAt } = deliveryOf(msg);
          h.set(headers.msgId, `intake.${seq}.${storedAt}`);
          await publisher.publish(subject, msg.data, h, { full: "wait", signal: this.#abort.signal });
          msg.respond(ackBody.ack);
        } catch (error) {
          if (!this.#o.nc.isClosed()) msg.respond(ackBody.nak);
          if (!this.#abort.signal.aborted) throw error;
        } finally {
          this.#hand.delete(msg);
        }
      }),
    );
    this.#rounds.moved(tenant, messages.length, leads);
    return messages.length;
  }

  /** What the tenant has, up to `batch`, without waiting for more. */
  async #fetch(tenant: string, batch: number): Promise<Msg[]> {
    const { nc, names } = this.#o;
    const consumer = names.intake.consumer(tenant);
    if (!this.#known.has(tenant)) {
      await ensureConsumer(nc, names.intake.stream, {
        durable_name: consumer,
        filter_subject: names.intake.subject(tenant),
        ack_wait: ackWaitMs * 1e6,
        max_ack_pending: 5_000,
        inactive_threshold: forgottenMs * 1e6,
      });
      this.#known.add(tenant);
    }
    const messages: Msg[] = [];
    await new Promise<void>((resolve) => {
      const inbox = `${inboxPrefix(nc)}.${nuid.next()}`;
      const end = () => {
        clearTimeout(timer);
        sub.unsubscribe();
        resolve();
      };
      const timer = setTimeout(end, 5_000);
      const sub = nc.subscribe(inbox, {
        callback: (error, msg) => {
          const code = msg?.headers?.code ?? 0;
          if (error || code >= 400) {
            // 503: the consumer is gone; it is made again in the next round.
            if (code === 503 || code === 409) this.#known.delete(tenant);
            return end();
          }
          if (!msg.reply) return;
          this.#hand.add(msg);
          messages.push(msg);
          if (messages.length >= batch) end();
        },
      });
      nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${names.intake.stream}.${consumer}`, `{"batch":${batch},"no_wait":true}`, {
        reply: inbox,
      });
    });
    return messages;
  }
}

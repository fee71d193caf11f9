import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import type { NatsConnection } from "nats";
import { consumerInfo } from "../../mixins/jetstream.ts";
import { type Pulled, pull } from "./pull.ts";

export interface ReaderOptions {
  nats(): Promise<NatsConnection>;
  stream: string;
  consumer: string;
  /** Makes stream and consumer when they are missing. */
  ensure(nc: NatsConnection): Promise<void>;
  /** Messages one write takes at the most. As many again are read ahead. */
  batch: number;
  /** Writes at once. */
  writers: number;
  /** Commits what the messages say. Must be harmless when repeated. Messages are acknowledged when it resolves. */
  write(messages: Pulled[]): Promise<void>;
  /** First and longest wait between two tries of a write, or of reading, that failed. */
  probeMinMs: number;
  probeMaxMs: number;
  /** How often it is checked that what waits in the stream also arrives. */
  watchdogMs: number;
  /** The consumer's `ack_wait`: messages in hand for longer than a third of it ask for more time. */
  ackWaitMs: number;
  logger: ServiceBroker["logger"];
}

const pullExpiresMs = 5_000;
/** How long a message that cannot be written alone rests before it is looked at again. */
const unwritableMs = 60_000;

/**
 * Reads a durable consumer into the database for as long as the process lives: pull -> buffer -> write -> acknowledge.
 * A write that fails for an outage is tried again with the same messages in hand, which ask for more time, so that an
 * outage neither loses nor redelivers anything; one that fails otherwise is split to find the message that does it.
 */
export class Reader {
  readonly #options: ReaderOptions;
  readonly #abort = new AbortController();
  readonly #buffer: Pulled[] = [];
  readonly #inHand = new Set<Pulled>();
  #wake = Promise.withResolvers<void>();
  #running: Promise<unknown> = Promise.resolve();
  #received = 0;
  /** Since when writes fail, ms since 1970; 0 while they do not. */
  #failingSince = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Does it wait for the database? */
  get isWaiting(): boolean {
    return this.#failingSince > 0;
  }

  start(): void {
    const writers = Array.from({ length: this.#options.writers }, () => this.#writeLoop());
    this.#running = Promise.all([this.#readLoop(), this.#heartBeat(), this.#watchdog(), ...writers]);
  }

  /** Stops pulling, finishes the writes in hand, gives back what is left. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#signal();
    await this.#running;
    for (const message of this.#inHand) message.nak(0);
    const nc = await this.#options.nats();
    if (!nc.isClosed()) await Promise.race([nc.flush(), delay(1_000, undefined, { ref: false })]);
  }

  async #readLoop(): Promise<void> {
    const { stream, consumer, batch, writers, probeMinMs, probeMaxMs, logger } = this.#options;
    const limit = batch * (writers + 1);
    let failures = 0;
    let ensured = false;
    while (!this.#stopping) {
      const room = limit - this.#inHand.size;
      if (room < batch / 2) {
        await this.#wake.promise;
        continue;
      }
      try {
        const nc = await this.#options.nats();
        if (!ensured) await this.#options.ensure(nc);
        ensured = true;
        const end = await pull(nc, {
          stream,
          consumer,
          batch: room,
          expiresMs: pullExpiresMs,
          signal: this.#abort.signal,
          onMessage: (message) => this.#take(message),
        });
        if (end === "gone") throw new Error(`consumer ${consumer} of ${stream} does not answer`);
        if (failures > 0) logger.info(`reading ${stream} again`);
        failures = 0;
      } catch (error) {
        ensured = false;
        if (failures++ === 0) logger.warn(`cannot read ${stream}, trying again: ${(error as Error).message}`);
        await this.#rest(Math.min(probeMaxMs, probeMinMs * 2 ** Math.min(failures, 10)));
      }
    }
  }

  #take(message: Pulled): void {
    this.#received++;
    this.#buffer.push(message);
    this.#inHand.add(message);
    this.#signal();
  }

  async #writeLoop(): Promise<void> {
    while (!this.#stopping) {
      const messages = this.#buffer.splice(0, this.#options.batch);
      if (messages.length === 0) await this.#wake.promise;
      else await this.#write(messages);
    }
  }

  /** Writes until it is written, or the process stops. */
  async #write(messages: Pulled[]): Promise<void> {
    const { write, probeMinMs, probeMaxMs, logger, stream } = this.#options;
    for (let failures = 0; ; ) {
      try {
        await write(messages);
        if (this.isWaiting) logger.info(`writing ${stream} again after ${Date.now() - this.#failingSince} ms`);
        this.#failingSince = 0;
        return this.#release(messages, (message) => message.ack());
      } catch (error) {
        const { type, message } = error as { type?: string; message?: string };
        if (type !== "OUTAGE") return this.#split(messages, error as Error);
        if (!this.isWaiting) {
          this.#failingSince = Date.now();
          logger.warn(`writing ${stream} waits: ${message}`);
        }
        failures++;
        await this.#rest(Math.min(probeMaxMs, probeMinMs * 2 ** Math.min(failures - 1, 10)));
        if (this.#stopping) return;
      }
    }
  }

  async #split(messages: Pulled[], error: Error): Promise<void> {
    if (messages.length > 1) {
      const middle = messages.length >> 1;
      await this.#write(messages.slice(0, middle));
      if (!this.#stopping) await this.#write(messages.slice(middle));
      return;
    }
    this.#options.logger.error("a message cannot be written and stays in the stream", {
      subject: messages[0]?.subject,
      error,
    });
    this.#release(messages, (message) => message.nak(unwritableMs));
  }

  #release(messages: Pulled[], how: (message: Pulled) => void): void {
    for (const message of messages) {
      how(message);
      this.#inHand.delete(message);
    }
    this.#signal();
  }

  async #heartBeat(): Promise<void> {
    const everyMs = this.#options.ackWaitMs / 3;
    let before: Pulled[] = [];
    while (!this.#stopping) {
      await this.#rest(everyMs);
      for (const message of before) if (this.#inHand.has(message)) message.working();
      before = [...this.#inHand];
    }
  }

  /** A connection can be alive and deliver nothing: when messages wait, none is in hand and none has come, it is made anew. */
  async #watchdog(): Promise<void> {
    const { watchdogMs, stream, consumer, logger } = this.#options;
    while (!this.#stopping) {
      const before = this.#received;
      await this.#rest(watchdogMs);
      if (this.#stopping || this.#received !== before || this.#inHand.size > 0) continue;
      try {
        const nc = await this.#options.nats();
        const { num_pending: waiting } = await consumerInfo(nc, stream, consumer);
        if (waiting === 0 || this.#received !== before) continue;
        logger.warn(`${waiting} messages wait in ${stream} and none arrives: connecting anew`);
        await nc.reconnect();
      } catch (error) {
        // The read loop meets the same fault and mends it.
        logger.debug(`cannot look at ${stream}: ${(error as Error).message}`);
      }
    }
  }

  get #stopping(): boolean {
    return this.#abort.signal.aborted;
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async #rest(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#abort.signal }).catch(() => {});
  }
}

import type { ServiceBroker } from "moleculer";
import type { NatsConnection } from "nats";
import { headers, type Names, tenantPattern } from "../../config/names.ts";
import type { Settings } from "../../config/settings.ts";
import { ensureShared } from "../../mixins/jetstream.ts";
import { type Databases, statement } from "../../mixins/knex.ts";
import { deadLead } from "./dead-letter.ts";
import { type Acceptance, insertAcceptances } from "./leads.sql.ts";
import type { Pulled } from "./pull.ts";
import { Reader } from "./reader.ts";
import { writeDead } from "./record.ts";
import { isUuid, type LeadRow } from "./row.ts";

export interface RecorderOptions {
  nats(): Promise<NatsConnection>;
  names: Names;
  settings: Settings;
  databases: Databases;
  logger: ServiceBroker["logger"];
}

/** As {@link ensureShared} makes the consumers. */
const ackWaitMs = 30_000;
/** Rows a statement of acceptances takes: two uuids, a time and a tenant each. */
const acceptanceRows = 5_000;

/** Books what the streams say into the record: acceptances, and dead letters. Any number of instances share the work. */
export class Recorder {
  readonly #accepted: Reader;
  readonly #dead: Reader;
  readonly #options: RecorderOptions;
  /** Messages that were none of ours, by stream. */
  readonly foreign = { accepted: 0, dead: 0 };

  constructor(options: RecorderOptions) {
    this.#options = options;
    const { names, settings, logger, nats } = options;
    const common = {
      nats,
      logger,
      ackWaitMs,
      ensure: (nc: NatsConnection) => ensureShared(nc, names, settings),
      probeMinMs: settings.probeMinMs,
      probeMaxMs: settings.probeMaxMs,
      watchdogMs: settings.watchdogMs,
    };
    this.#accepted = new Reader({
      ...common,
      stream: names.accepted.stream,
      consumer: names.accepted.consumer,
      batch: 1_000,
      writers: 2,
      write: (messages) => this.#writeAccepted(messages),
    });
    this.#dead = new Reader({
      ...common,
      stream: names.dead.stream,
      consumer: names.dead.consumer,
      // A dead letter may hold a message of up to 1 MB.
      batch: 50,
      // One at a time and in order: of two deaths of a lead the later one gives the reason.
      writers: 1,
      write: (messages) => this.#writeDead(messages),
    });
  }

  start(): void {
    this.#accepted.start();
    this.#dead.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#accepted.stop(), this.#dead.stop()]);
  }

  /** Does it wait for the database? */
  get isWaiting(): boolean {
    return this.#accepted.isWaiting || this.#dead.isWaiting;
  }

  async #writeAccepted(messages: Pulled[]): Promise<void> {
    const acceptances: Acceptance[] = [];
    for (const message of messages) {
      const read = readAccepted(message);
      if (read) acceptances.push(...read);
      else this.#setAside("accepted", message);
    }
    for (const { knex, things } of this.#options.databases.group(acceptances, (a) => a.tenant)) {
      for (let from = 0; from < things.length; from += acceptanceRows)
        await statement(() => insertAcceptances(knex, things.slice(from, from + acceptanceRows)));
    }
  }

  async #writeDead(messages: Pulled[]): Promise<void> {
    const rows: LeadRow[] = [];
    for (const message of messages) {
      const read = deadLead(message.data);
      if (read.kind === "lead") rows.push(read.row);
      else if (read.kind === "foreign") this.#setAside("dead", message);
    }
    for (const { knex, things } of this.#options.databases.group(rows, (row) => row.tenant))
      await writeDead(knex, things);
  }

  #setAside(stream: keyof Recorder["foreign"], message: Pulled): void {
    this.foreign[stream]++;
    this.#options.logger.warn(`a message on ${message.subject} names no lead and is none of the record's`);
  }
}

const uuidBytes = 16;

/**
 * Reads a message of the accepted stream: one lead, named by the subject, body empty; or subject `….many`, body the
 * 16-byte ids one after another. null for anything else.
 */
export function readAccepted(message: Pick<Pulled, "subject" | "data" | "headers" | "storedAt">): Acceptance[] | null {
  const [tenant, what] = message.subject.split(".").slice(-2);
  if (tenant === undefined || what === undefined || !tenantPattern.test(tenant)) return null;
  const importHeader = message.headers?.get(headers.importId);
  const common = { tenant, acceptedAt: message.storedAt, importId: isUuid(importHeader) ? importHeader : null };
  if (what !== "many") return isUuid(what) ? [{ ...common, leadId: what.toLowerCase() }] : null;
  if (message.data.length === 0 || message.data.length % uuidBytes !== 0) return null;
  return uuidsOf(message.data).map((leadId) => ({ ...common, leadId }));
}

/** UUIDs from their 16-byte forms, one after another. */
export function uuidsOf(data: Uint8Array): string[] {
  const hex = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
  return Array.from({ length: data.length / uuidBytes }, (_, n) => {
    const id = hex.slice(n * 32, n * 32 + 32);
    return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
  });
}

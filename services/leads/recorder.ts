import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import type { NatsConnection } from "nats";
import { headers, type Names, tenantPattern } from "../../config/names.ts";
import type { Settings } from "../../config/settings.ts";
import { ensureShared } from "../../mixins/jetstream.ts";
import { type Databases, statement } from "../../mixins/knex.ts";
import { deadLead, filedLetter } from "./dead-letter.ts";
import { dealtWith, type FiledLetter, fileLetters, type LetterCount } from "./dead-letters.sql.ts";
import { type Acceptance, insertAcceptances } from "./leads.sql.ts";
import { bookOperations, type OperationRow } from "./operations.sql.ts";
import type { Pulled } from "./pull.ts";
import { Reader } from "./reader.ts";
import { writeDead } from "./record.ts";
import { reindexDeadLetters } from "./reindex.ts";
import { isUuid, type LeadRow } from "./row.ts";

export interface RecorderOptions {
  nats(): Promise<NatsConnection>;
  names: Names;
  settings: Settings;
  databases: Databases;
  logger: ServiceBroker["logger"];
  /** Told of dead letters that are new in the index. */
  onFiled?(filed: LetterCount[]): void;
}

/** As {@link ensureShared} makes the consumers. */
const ackWaitMs = 30_000;
/** Rows a statement of acceptances takes: two uuids, a time and a tenant each. */
const acceptanceRows = 5_000;

/** Books what the streams say into the record: acceptances, dead letters, operations. Any number of instances share the work. */
export class Recorder {
  readonly #accepted: Reader;
  readonly #dead: Reader;
  readonly #operations: Reader;
  readonly #options: RecorderOptions;
  readonly #stopping = new AbortController();
  #indexing: Promise<void> | undefined;
  /** Messages that were none of ours, by stream. */
  readonly foreign = { accepted: 0, dead: 0, operations: 0 };

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
    this.#operations = new Reader({
      ...common,
      stream: names.operations.stream,
      consumer: names.operations.consumer,
      batch: 200,
      writers: 1,
      write: (messages) => this.#writeOperations(messages),
    });
  }

  get #readers(): Reader[] {
    return [this.#accepted, this.#dead, this.#operations];
  }

  start(): void {
    for (const reader of this.#readers) reader.start();
    this.#indexing = this.#index();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#indexing;
    await Promise.all(this.#readers.map((reader) => reader.stop()));
  }

  /** Does it wait for the database? */
  get isWaiting(): boolean {
    return this.#readers.some(({ isWaiting }) => isWaiting);
  }

  /** Once, when the database and JetStream are there. */
  async #index(): Promise<void> {
    const { nats, names, databases, settings, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        if (await reindexDeadLetters(await nats(), names, databases))
          logger.info("the index of the dead letters is empty: they are read from the first one on");
        return;
      } catch (error) {
        logger.debug("cannot look at the index of the dead letters", error as Error);
        await delay(settings.probeMaxMs, undefined, { signal }).catch(() => {});
      }
    }
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

  /** The mark on the lead first: a letter in the index can be dealt with, and what is done about it changes the mark. */
  async #writeDead(messages: Pulled[]): Promise<void> {
    const letters: (FiledLetter & { row: LeadRow | null })[] = messages.map((message) => {
      const read = deadLead(message.data);
      if (read.kind === "foreign") this.#setAside("dead", message);
      return { ...filedLetter(message), row: read.kind === "lead" ? read.row : null };
    });
    for (const { knex, things } of this.#options.databases.group(letters, ({ tenant }) => tenant)) {
      const filed = things.map(({ row: _row, ...letter }) => letter);
      // A letter that is told again may have been redriven since.
      const done = await statement(() => dealtWith(knex, filed));
      const rows = things.flatMap(({ row, seq }) => (row && !done.has(seq) ? [row] : []));
      await writeDead(knex, rows);
      const counts = await statement(() => fileLetters(knex, filed));
      if (counts.length > 0) this.#options.onFiled?.(counts);
    }
  }

  async #writeOperations(messages: Pulled[]): Promise<void> {
    const rows = new Map<string, OperationRow>();
    for (const message of messages) {
      const row = readOperation(message.data);
      if (!row) this.#setAside("operations", message);
      else if (row.result !== null || !rows.has(row.id)) rows.set(row.id, row);
    }
    for (const { knex, things } of this.#options.databases.group([...rows.values()], ({ tenant }) => tenant))
      await statement(() => bookOperations(knex, things));
  }

  #setAside(stream: keyof Recorder["foreign"], message: Pulled): void {
    this.foreign[stream]++;
    this.#options.logger.warn(`a message on ${message.subject} names no lead and is none of the record's`);
  }
}

/** Reads a message of the stream of operations; null for one that is none. */
export function readOperation(data: Uint8Array): OperationRow | null {
  let entry: Partial<Record<keyof OperationRow, unknown>> | null;
  try {
    entry = JSON.parse(new TextDecoder().decode(data));
  } catch {
    return null;
  }
  const { id, at, tenant, by, what, target, detail, result = null, endedAt = null } = entry ?? {};
  const told = [tenant, by, what, target].every((text) => typeof text === "string");
  if (!told || !isUuid(id) || !Number.isFinite(at)) return null;
  return { id, at, tenant, by, what, target, detail: detail ?? {}, result, endedAt } as OperationRow;
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

import { type Msg, type NatsConnection, nuid } from "nats";
import type { Names } from "../config/names.ts";
import { inboxPrefix } from "./actor/publisher.ts";
import { outage } from "./errors.ts";
import { JetStreamError, jsApi } from "./jetstream.ts";

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Which lines are wanted; what is absent is not asked for. */
export interface LogQuery {
  /** This level and worse ones. */
  level: LogLevel;
  service?: string;
  stage?: string;
  /** A lead's id. */
  lead?: string;
  /** A trace's id. */
  trace?: string;
  /** ms since 1970: lines that were written then or later, and before. */
  from: number;
  to?: number;
  /** Sequence in the stream to go on at; wins over `from`. */
  at?: number;
}

export interface LogItem {
  seq: number;
  line: Record<string, unknown>;
}

/** Lines that are looked at for one page, and how long that may take, ms. */
const maxScanned = 10_000;
const maxScanMs = 2_000;
const fetchLines = 500;
/** How long JetStream may take to send lines, or to say that there are none, ms. */
const silentMs = 2_000;
/** A follower's request for lines ends after this, ms; so often, at the least, it says that it is there. */
const followMs = 1_000;
/** How long after it was written a line may be stored: what waits for NATS keeps its time. */
const latestMs = 60_000;
/** JetStream forgets a reader that fell silent for so long, ns. */
const forgottenAfter = 30 * 1e9;

/**
 * A page of log lines, the oldest first. `next` is where to go on: with a page that is full, or when as much was looked at
 * as one request may; null at the end of what there is. Throws an outage where JetStream sends nothing at all.
 */
export async function readLogs(
  nc: NatsConnection,
  names: Names,
  query: LogQuery,
  limit: number,
): Promise<{ items: LogItem[]; next: number | null }> {
  const reader = await openReader(nc, names, query);
  if (!reader) return { items: [], next: null };
  const items: LogItem[] = [];
  const until = Date.now() + maxScanMs;
  try {
    for (let scanned = 0, last = 0; ; ) {
      const messages = await reader.fetch(Math.min(fetchLines, maxScanned - scanned), { noWait: true });
      scanned += messages.length;
      for (const msg of messages) {
        last = placeOf(msg).seq;
        const found = lineOf(msg, query);
        if (found === "past") return { items, next: null };
        if (found) items.push({ seq: last, line: found });
        if (items.length === limit) return { items, next: last + 1 };
      }
      const isWhole = reader.isAlive();
      if (!isWhole && last === 0) throw outage("nats", new Error("no answer to a read of the log"));
      if (isWhole && messages.length === 0) return { items, next: null };
      if (!isWhole || scanned >= maxScanned || Date.now() > until) return { items, next: last + 1 };
    }
  } finally {
    reader.close();
  }
}

/**
 * Log lines as they come, from the query's beginning on, until `goesOn` says no (asked every second at least) or the
 * caller ends. Null after a second in which it had nothing to show. Reads no faster than it is read from.
 */
export async function* followLogs(
  nc: NatsConnection,
  names: Names,
  query: LogQuery,
  goesOn: () => boolean,
): AsyncGenerator<LogItem | null> {
  let at = query.at;
  let yieldedAt = Date.now();
  while (goesOn()) {
    const reader = await openReader(nc, names, { ...query, ...(at === undefined ? {} : { at }) }).catch(
      () => undefined,
    );
    try {
      while (goesOn()) {
        const messages = reader ? await reader.fetch(100, { noWait: false }) : [];
        for (const msg of messages) {
          at = placeOf(msg).seq + 1;
          const found = lineOf(msg, query);
          if (found === "past") return;
          if (!found) continue;
          yield { seq: at - 1, line: found };
          yieldedAt = Date.now();
        }
        // Also while lines about others come: only here it learns that whoever reads it has gone.
        if (messages.length === 0 || Date.now() - yieldedAt >= followMs) {
          yield null;
          yieldedAt = Date.now();
        }
        // The stream may have been made, the reader forgotten, or a line lost on its way: a new one goes on behind the last.
        if (!reader?.isAlive()) {
          await new Promise((resolve) => setTimeout(resolve, reader ? 100 : 1_000));
          break;
        }
      }
    } finally {
      reader?.close();
    }
  }
}

interface Reader {
  /** The next lines, without a gap; `noWait`: as many as there are, else what comes first, within {@link followMs}. */
  fetch(batch: number, options: { noWait: boolean }): Promise<Msg[]>;
  /** Not after JetStream fell silent, said that it knows this reader no more, or a line was lost on its way. */
  isAlive(): boolean;
  close(): void;
}

/** A short-lived consumer, whose filter the server applies; undefined where there is no stream. */
async function openReader(nc: NatsConnection, names: Names, query: LogQuery): Promise<Reader | undefined> {
  const { stream, subject } = names.logs;
  const levels = logLevels.slice(0, logLevels.indexOf(query.level) + 1);
  const start =
    query.at === undefined
      ? { deliver_policy: "by_start_time", opt_start_time: new Date(query.from).toISOString() }
      : { deliver_policy: "by_start_sequence", opt_start_seq: query.at };
  let consumer: string;
  try {
    const made = await jsApi<{ name: string }>(nc, `CONSUMER.CREATE.${stream}`, {
      stream_name: stream,
      config: {
        ...start,
        ack_policy: "none",
        mem_storage: true,
        inactive_threshold: forgottenAfter,
        filter_subjects: levels.map((level) => subject(level, query.service ?? "*")),
      },
    });
    consumer = made.name;
  } catch (error) {
    if (error instanceof JetStreamError && error.code === 404) return undefined;
    throw error;
  }
  const inbox = `${inboxPrefix(nc)}.${nuid.next()}`;
  const arrived: Msg[] = [];
  let delivered = 0;
  /** Lines that are asked for and have not come; 0: no request is open. */
  let open = 0;
  let alive = true;
  let look = () => {};
  // One for all requests: a line that is delivered is delivered once, whoever has stopped waiting for it.
  const sub = nc.subscribe(inbox, {
    callback(error, msg) {
      const code = error ? 500 : (msg.headers?.code ?? 0);
      if (code >= 400) {
        open = 0;
        alive &&= code === 404 || code === 408;
      } else if (alive && placeOf(msg).delivery === delivered + 1) {
        arrived.push(msg);
        delivered++;
        open--;
      } else alive = false;
      look();
    },
  });
  return {
    isAlive: () => alive && !nc.isClosed(),
    close() {
      sub.unsubscribe();
      if (!nc.isClosed()) nc.publish(`$JS.API.CONSUMER.DELETE.${stream}.${consumer}`);
    },
    async fetch(batch, { noWait }) {
      if (alive && open === 0 && arrived.length === 0) {
        open = batch;
        const asked = noWait ? { batch, no_wait: true } : { batch, expires: followMs * 1e6 };
        nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(asked), { reply: inbox });
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          alive = false;
          resolve();
        }, silentMs);
        look = () => {
          // What comes in one go is handed on in one go, however few: a follower waits for no more.
          if (alive && open > 0 && (noWait || arrived.length === 0)) return;
          clearTimeout(timer);
          resolve();
        };
        look();
      });
      return arrived.splice(0, batch);
    },
  };
}

/** Reads where a message stands by the subject of its acknowledgement (ADR-15): `$JS.ACK.….<seq>.<consumer seq>.<ns>.<pending>`. */
function placeOf({ reply }: Msg): { seq: number; delivery: number; storedAt: number } {
  const tokens = reply!.split(".");
  const at = tokens.length >= 11 ? 7 : 5;
  return {
    seq: Number(tokens[at]),
    delivery: Number(tokens[at + 1]),
    storedAt: Number(tokens[at + 2]!.slice(0, -6)),
  };
}

/** The line, where it is wanted; `past` when it, and so all after it, is too late. */
function lineOf(msg: Msg, query: LogQuery): Record<string, unknown> | "past" | undefined {
  if (query.to !== undefined && placeOf(msg).storedAt >= query.to + latestMs) return "past";
  const text = msg.string();
  // Most lines of a busy mesh are about others: no parsing for them.
  for (const wanted of [query.lead, query.trace, query.stage])
    if (wanted !== undefined && !text.includes(wanted)) return undefined;
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { time, leadId, traceId, stage, level, module } = line;
  const writtenAt = Date.parse(String(time));
  const isWanted =
    writtenAt >= query.from &&
    (query.to === undefined || writtenAt < query.to) &&
    (query.lead === undefined || leadId === query.lead) &&
    (query.trace === undefined || traceId === query.trace) &&
    (query.stage === undefined || stage === query.stage) &&
    (query.service === undefined || module === query.service) &&
    logLevels.includes(level as LogLevel);
  return isWanted ? line : undefined;
}

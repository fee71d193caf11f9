import { type Msg, type NatsConnection, nuid } from "nats";
import type { Names } from "../config/names.ts";
import { inboxPrefix } from "./actor/publisher.ts";
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
/** How long after it was written a line may be stored: what waits for NATS keeps its time. */
const latestMs = 60_000;
/** JetStream forgets a reader that fell silent for so long, ns. */
const forgottenAfter = 30 * 1e9;

/**
 * A page of log lines, the oldest first. `next` is where to go on: with a page that is full, or when as much was looked at
 * as one request may; null at the end of what there is.
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
      if (messages.length === 0) return { items, next: null };
      if (scanned >= maxScanned || Date.now() > until) return { items, next: last + 1 };
    }
  } finally {
    reader.close();
  }
}

/**
 * Log lines as they come, from the query's beginning on, until `goesOn` says no (asked every second at least) or the
 * caller ends. Null when a second brought nothing. Reads no faster than it is read from.
 */
export async function* followLogs(
  nc: NatsConnection,
  names: Names,
  query: LogQuery,
  goesOn: () => boolean,
): AsyncGenerator<LogItem | null> {
  let at = query.at;
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
          if (found) yield { seq: at - 1, line: found };
        }
        if (messages.length > 0) continue;
        yield null;
        // The stream may have been made, or the reader forgotten, meanwhile.
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
  fetch(batch: number, options: { noWait: boolean }): Promise<Msg[]>;
  /** Not after JetStream said that it knows this reader no more. */
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
  let alive = true;
  return {
    isAlive: () => alive && !nc.isClosed(),
    close() {
      if (!nc.isClosed()) nc.publish(`$JS.API.CONSUMER.DELETE.${stream}.${consumer}`);
    },
    fetch: (batch, { noWait }) =>
      new Promise((resolve) => {
        const messages: Msg[] = [];
        const end = () => {
          clearTimeout(timer);
          sub.unsubscribe();
          resolve(messages);
        };
        const timer = setTimeout(end, 2_000);
        const inbox = `${inboxPrefix(nc)}.${nuid.next()}`;
        const sub = nc.subscribe(inbox, {
          callback: (error, msg) => {
            const code = msg?.headers?.code ?? 0;
            if (error || (code >= 400 && code !== 408)) alive &&= code === 404;
            if (error || code >= 400) return end();
            messages.push(msg);
            // What comes in one go is handed on in one go, however few: a follower waits for no more.
            if (messages.length >= batch || (!noWait && placeOf(msg).pending === 0)) end();
          },
        });
        const asked = noWait ? { batch, no_wait: true } : { batch, expires: 1_000 * 1e6 };
        nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(asked), { reply: inbox });
      }),
  };
}

/** Reads where a message stands by the subject of its acknowledgement (ADR-15): `$JS.ACK.….<seq>.<consumer seq>.<ns>.<pending>`. */
function placeOf({ reply }: Msg): { seq: number; storedAt: number; pending: number } {
  const tokens = reply!.split(".");
  const at = tokens.length >= 11 ? 7 : 5;
  return {
    seq: Number(tokens[at]),
    storedAt: Number(tokens[at + 2]!.slice(0, -6)),
    pending: Number(tokens[at + 3]),
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

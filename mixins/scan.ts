import { createInbox, type Msg, type MsgHdrs, type NatsConnection, headers as natsHeaders } from "nats";
import { inboxPrefix } from "./actor/publisher.ts";
import { outage } from "./errors.ts";
import { errCodes, JetStreamError, jsApi } from "./jetstream.ts";

/** A message as it stands in a stream. */
export interface Stored {
  subject: string;
  seq: number;
  /** When the stream stored it, ms since 1970. */
  storedAt: number;
  headers: MsgHdrs | undefined;
  data: Uint8Array;
}

/** What one request may bring: bounds what is in memory at once. */
const batchMessages = 256;
const batchBytes = 8_388_608;
/** Silence after which a request has failed. */
const silenceMs = 10_000;

/**
 * Reads a stream from its beginning to what was its end when the reader came there, a batch at a time, without a
 * consumer: a work queue admits no second one, and reading must take nothing from the mesh. Messages that leave while it
 * reads may be missing, those that come may be there. The stream must have `allow_direct`.
 */
export async function* scan(
  nc: NatsConnection,
  stream: string,
  { subject = ">", from = 1, messages = batchMessages }: { subject?: string; from?: number; messages?: number } = {},
): AsyncGenerator<Stored[]> {
  for (let seq = from; ; ) {
    const batch = await getBatch(nc, stream, { seq, next_by_subj: subject, batch: messages, max_bytes: batchBytes });
    if (batch.length === 0) return;
    yield batch;
    seq = batch.at(-1)!.seq + 1;
  }
}

/** Batched direct get, https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-31.md (the client has none by sequence). */
function getBatch(nc: NatsConnection, stream: string, request: object): Promise<Stored[]> {
  return new Promise((resolve, reject) => {
    const batch: Stored[] = [];
    const inbox = createInbox(inboxPrefix(nc));
    const end = (error?: Error) => {
      clearTimeout(timer);
      subscription.unsubscribe();
      if (error) reject(error);
      else resolve(batch);
    };
    const timer = setTimeout(() => end(outage("nats", new Error(`no answer to a read of ${stream}`))), silenceMs);
    const subscription = nc.subscribe(inbox, {
      callback: (error, message) => {
        if (error) return end(error);
        const { code = 0, description = "" } = message.headers ?? {};
        // 204 ends a batch, 404 says that nothing is left.
        if (code === 204 || code === 404) return end();
        if (code >= 400) return end(outage("nats", new Error(`reading ${stream}: ${code} ${description}`)));
        timer.refresh();
        batch.push(stored(message));
      },
    });
    nc.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(request), { reply: inbox });
  });
}

/** The message of this sequence, or the first one on `subject` from there on; null where there is none. */
export async function getMessage(
  nc: NatsConnection,
  stream: string,
  { seq, subject }: { seq: number; subject?: string },
): Promise<Stored | null> {
  const request = JSON.stringify(subject === undefined ? { seq } : { seq, next_by_subj: subject });
  let message: Msg;
  try {
    message = await nc.request(`$JS.API.DIRECT.GET.${stream}`, request, { timeout: 5_000 });
  } catch (error) {
    throw outage("nats", error);
  }
  const { code = 0, description = "" } = message.headers ?? {};
  if (code === 404) return null;
  if (code >= 400) throw outage("nats", new Error(`reading ${stream}: ${code} ${description}`));
  return stored(message);
}

/**
 * The message of this sequence as the stream's leader has it, without its headers; null where it has none. What
 * {@link getMessage} says may be a replica's word that lags behind: null of a message that stands is nothing to act on.
 */
export async function getFromLeader(
  nc: NatsConnection,
  stream: string,
  seq: number,
): Promise<Omit<Stored, "headers"> | null> {
  try {
    const { message } = await jsApi(nc, `STREAM.MSG.GET.${stream}`, { seq });
    const { subject, time, data = "" } = message;
    return { subject, seq, storedAt: Date.parse(time), data: Buffer.from(data, "base64") };
  } catch (error) {
    if (error instanceof JetStreamError && error.errCode === errCodes.messageNotFound) return null;
    throw error;
  }
}

function stored({ headers, data }: Msg): Stored {
  return {
    subject: headers?.get("Nats-Subject") ?? "",
    seq: Number(headers?.get("Nats-Sequence")),
    storedAt: Date.parse(headers?.get("Nats-Time-Stamp") ?? ""),
    headers,
    data,
  };
}

/** A message's headers without those that the server, or reading it, added. */
export function ownHeaders(message: Stored): MsgHdrs {
  const h = natsHeaders();
  for (const key of message.headers?.keys() ?? []) {
    if (!key.startsWith("Nats-")) h.set(key, message.headers!.get(key));
  }
  return h;
}

/** Names of all streams that begin with `prefix`. */
export async function streamNames(nc: NatsConnection, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const page = await jsApi<{ streams: string[] | null; total: number }>(nc, "STREAM.NAMES", { offset: names.length });
    const streams = page.streams ?? [];
    names.push(...streams);
    if (streams.length === 0 || names.length >= page.total) return names.filter((name) => name.startsWith(prefix));
  }
}

/** Changes whenever a message came to one of the streams or left it. */
export async function fingerprint(nc: NatsConnection, streams: readonly string[]): Promise<string> {
  const states = await Promise.all(
    streams.map(async (stream) => {
      const { state } = await jsApi(nc, `STREAM.INFO.${stream}`);
      return [stream, state.messages, state.first_seq, state.last_seq];
    }),
  );
  return JSON.stringify(states);
}

import type { NatsConnection } from "nats";
import type { Names } from "../../config/names.ts";
import { type ConsumerInfo, consumerInfo, errCodes, JetStreamError, jsApi } from "../../mixins/jetstream.ts";
import { getMessage, type Stored, scan, streamNames } from "../../mixins/scan.ts";

export interface ConsumerState {
  name: string;
  /** Messages that it has not been given yet. */
  pending: number;
  unacknowledged: number;
  /** Of those in hand, given before. */
  redelivered: number;
  /** Requests that wait for messages. */
  waiting: number;
  /** Age of the oldest message that is not acknowledged; null: there is none. */
  oldestMs: number | null;
}

export interface StreamState {
  name: string;
  messages: number;
  bytes: number;
  /** null: no limit of its own. */
  limitBytes: number | null;
  oldestMs: number | null;
  consumers: ConsumerState[];
}

/** The mesh's streams and buckets with their consumers, each asked of its own leader. */
export async function readStreams(nc: NatsConnection, names: Names): Promise<StreamState[]> {
  const all = await streamNames(nc, "");
  const own = all.filter((name) => name.startsWith(names.streams) || name.startsWith(`KV_${names.streams}`));
  const read = await Promise.all(own.sort().map((name) => readStream(nc, name)));
  return read.filter((state) => state !== null);
}

/** null for a stream that has gone. */
async function readStream(nc: NatsConnection, name: string): Promise<StreamState | null> {
  try {
    const { config, state } = await jsApi(nc, `STREAM.INFO.${name}`);
    const consumers = await Promise.all(
      (await consumerNames(nc, name)).map(async (consumer) =>
        consumerState(nc, name, consumer, await consumerInfo(nc, name, consumer)),
      ),
    );
    return {
      name,
      messages: state.messages,
      bytes: state.bytes,
      limitBytes: config.max_bytes > 0 ? config.max_bytes : null,
      oldestMs: state.messages > 0 ? Math.max(0, Date.now() - Date.parse(state.first_ts)) : null,
      consumers,
    };
  } catch (error) {
    const gone: readonly number[] = [errCodes.streamNotFound, errCodes.consumerNotFound];
    if (error instanceof JetStreamError && gone.includes(error.errCode)) return null;
    throw error;
  }
}

async function consumerNames(nc: NatsConnection, stream: string): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const { consumers, total } = await jsApi(nc, `CONSUMER.NAMES.${stream}`, { offset: names.length });
    names.push(...(consumers ?? []));
    if (!consumers?.length || names.length >= total) return names.sort();
  }
}

async function consumerState(
  nc: NatsConnection,
  stream: string,
  name: string,
  info: ConsumerInfo,
): Promise<ConsumerState> {
  const open = info.num_pending + info.num_ack_pending;
  const subject = info.config.filter_subject ?? ">";
  const oldest = open > 0 ? await getMessage(nc, stream, { seq: info.ack_floor.stream_seq + 1, subject }) : null;
  return {
    name,
    pending: info.num_pending,
    unacknowledged: info.num_ack_pending,
    redelivered: info.num_redelivered,
    waiting: info.num_waiting,
    oldestMs: oldest ? Math.max(0, Date.now() - oldest.storedAt) : null,
  };
}

/** The first messages of a stream, as they stand; nothing is taken. */
export async function peek(nc: NatsConnection, stream: string, count: number): Promise<object[]> {
  const found: Stored[] = [];
  for await (const batch of scan(nc, stream, { messages: count })) {
    found.push(...batch);
    if (found.length >= count) break;
  }
  return found.slice(0, count).map(({ subject, seq, storedAt, headers, data }) => ({
    seq,
    at: storedAt,
    subject,
    headers: Object.fromEntries([...(headers ?? [])].filter(([name]) => !name.startsWith("Nats-S"))),
    bytes: data.length,
    text: new TextDecoder().decode(data.subarray(0, 2_000)),
  }));
}

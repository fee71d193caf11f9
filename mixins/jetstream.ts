import type { NatsConnection } from "nats";
import { type Lane, lanes, type Names } from "../config/names.ts";
import { type StageConfig, type StageOptions, stageDefaults } from "../config/pipeline.ts";
import type { Settings } from "../config/settings.ts";
import { outage } from "./errors.ts";
import { bucketStream, objectStream } from "./jetstream/stores.ts";

/**
 * Streams, consumers and buckets by JetStream's own API: the client knows no setting that servers learned after 2.10
 * (schedules, limits a subject). https://docs.nats.io/reference/reference-protocols/nats_api_reference
 */

export class JetStreamError extends Error {
  readonly code: number;
  readonly errCode: number;
  constructor(what: string, error: { code: number; err_code?: number; description?: string }) {
    super(`${what}: ${error.description ?? "JetStream said no"} (${error.err_code ?? error.code})`);
    this.name = "JetStreamError";
    this.code = error.code;
    this.errCode = error.err_code ?? 0;
  }
}

/** JetStream's codes that the mesh branches on. */
export const errCodes = {
  streamNotFound: 10059,
  consumerNotFound: 10014,
  /** Created before, with other settings. */
  streamExists: 10058,
  messageNotFound: 10037,
  /** Of a message that is not there. */
  messageDeleteFailed: 10057,
  wrongLastSequence: 10071,
  /** No room in the store for what the limits of a new stream set aside. */
  storeFull: 10047,
} as const;

const ms = 1_000_000;
const decoder = new TextDecoder();

/** One request to JetStream's API. Throws {@link JetStreamError}, or an outage when nobody answers. */
export async function jsApi<T = any>(
  nc: NatsConnection,
  subject: string,
  body: object = {},
  timeoutMs = 5_000,
): Promise<T> {
  let answer: any;
  try {
    answer = JSON.parse(
      decoder.decode((await nc.request(`$JS.API.${subject}`, JSON.stringify(body), { timeout: timeoutMs })).data),
    );
  } catch (error) {
    throw outage("nats", error);
  }
  if (answer.error) throw new JetStreamError(subject, answer.error);
  return answer;
}

const oldest = [2, 12] as const;

/** Refuses a server without message schedules, at start rather than at the first retry. */
export function requireServer(nc: NatsConnection): void {
  const version = nc.info?.version ?? "unknown";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw new Error(`NATS server ${version} is too old: ${oldest.join(".")} or newer is needed (message schedules)`);
  }
  if (!nc.info?.jetstream) throw new Error("the NATS server runs without JetStream: start it with -js");
}

/**
 * Makes a stream, or brings it up to date. Twenty processes may do so at once: creating the same twice is no error. The
 * server looks for room before it looks whether the stream is there: one that is there needs none.
 */
export async function ensureStream(
  nc: NatsConnection,
  config: { name: string } & Record<string, unknown>,
): Promise<void> {
  try {
    await jsApi(nc, `STREAM.CREATE.${config.name}`, config);
  } catch (error) {
    const { errCode } = error as JetStreamError;
    if (errCode !== errCodes.streamExists && errCode !== errCodes.storeFull) throw error;
    await jsApi(nc, `STREAM.UPDATE.${config.name}`, config).catch((failure) => {
      throw (failure as JetStreamError).errCode === errCodes.streamNotFound ? error : failure;
    });
  }
}

export interface ConsumerConfig {
  durable_name: string;
  filter_subject?: string;
  ack_wait?: number;
  max_ack_pending?: number;
  inactive_threshold?: number;
  deliver_policy?: string;
}

/** Makes a durable pull consumer, or brings it up to date. It delivers for ever: the mesh counts tries itself. */
export async function ensureConsumer(nc: NatsConnection, stream: string, config: ConsumerConfig): Promise<void> {
  await jsApi(nc, `CONSUMER.CREATE.${stream}.${config.durable_name}`, {
    stream_name: stream,
    action: "",
    config: { ack_policy: "explicit", deliver_policy: "all", max_deliver: -1, max_waiting: 4_096, ...config },
  });
}

export interface ConsumerInfo {
  num_pending: number;
  num_ack_pending: number;
  num_redelivered: number;
  num_waiting: number;
  config: { max_ack_pending: number; filter_subject?: string };
  delivered: { consumer_seq: number; stream_seq: number };
  ack_floor: { consumer_seq: number; stream_seq: number };
}

export function consumerInfo(nc: NatsConnection, stream: string, consumer: string): Promise<ConsumerInfo> {
  return jsApi(nc, `CONSUMER.INFO.${stream}.${consumer}`);
}

/** A stage's options: its line in the pipeline over the defaults. Throws for a stage that has no line. */
export function stageOptions(
  stage: string,
  ...flows: readonly (readonly StageConfig[])[]
): StageOptions & { name: string } {
  const line = flows.flat().find((s) => s.name === stage);
  if (!line) throw new Error(`stage "${stage}" has no line in config/pipeline.ts`);
  const options = { ...stageDefaults, ...line };
  return { ...options, places: Math.max(options.places, options.concurrency + 1) };
}

/** Largest number of envelopes of a lane that all instances of a stage together have in hand. */
const maxAckPending = 20_000;

/** Makes the mailbox of a stage: `discard: new` a subject, so that a full lane pushes back and never touches the other. */
export async function ensureMailbox(
  nc: NatsConnection,
  names: Names,
  options: StageOptions & { name: string },
  settings: Settings,
): Promise<void> {
  const mailbox = names.mailbox(options.name);
  await ensureStream(nc, {
    name: mailbox.stream,
    subjects: [...lanes.map(mailbox.subject), mailbox.markers],
    retention: "workqueue",
    // A redrive stores the envelope and its marker, or none of them.
    allow_atomic: true,
    storage: "file",
    num_replicas: settings.replicas,
    discard: "new",
    discard_new_per_subject: true,
    max_msgs_per_subject: settings.mailboxEnvelopes || options.maxEnvelopes,
    duplicate_window: 120_000 * ms,
    allow_direct: true,
  });
  await Promise.all(lanes.map((lane) => ensureLane(nc, names, options, lane)));
}

export function ensureLane(
  nc: NatsConnection,
  names: Names,
  options: StageOptions & { name: string },
  lane: Lane,
): Promise<void> {
  const mailbox = names.mailbox(options.name);
  return ensureConsumer(nc, mailbox.stream, {
    durable_name: mailbox.consumer(lane),
    filter_subject: mailbox.subject(lane),
    ack_wait: options.ackWaitMs * ms,
    max_ack_pending: maxAckPending,
  });
}

/** The consumer of a stage's parked envelopes of a lane whose time has come. One a lane: a full bulk lane holds up none of live's. */
export function ensureDue(
  nc: NatsConnection,
  names: Names,
  options: StageOptions & { name: string },
  lane: Lane,
): Promise<void> {
  return ensureConsumer(nc, names.park.stream, {
    durable_name: names.park.consumer(options.name, lane),
    filter_subject: names.park.due(options.name, lane),
    ack_wait: options.ackWaitMs * ms,
    max_ack_pending: 2_000,
  });
}

/** A consumer that nobody reads, for what it has pending: a look at the park's subjects would cost a walk over a million of them. */
export function ensureParkCounter(nc: NatsConnection, names: Names, stage: string, lane: Lane): Promise<void> {
  return ensureConsumer(nc, names.park.stream, {
    durable_name: names.park.counter(stage, lane),
    filter_subject: names.park.waiting(stage, lane),
  });
}

/** All that a stage reads from: its mailbox and, for each lane, what comes back from the park; and the count of the parked. */
export async function ensureStage(
  nc: NatsConnection,
  names: Names,
  options: StageOptions & { name: string },
  settings: Settings,
): Promise<void> {
  await Promise.all([
    ensureMailbox(nc, names, options, settings),
    ...lanes.flatMap((lane) => [ensureDue(nc, names, options, lane), ensureParkCounter(nc, names, options.name, lane)]),
  ]);
}

/** Everything that belongs to no single stage: intake, accepted, park, dead letters, operations, buckets. */
export async function ensureShared(nc: NatsConnection, names: Names, settings: Settings): Promise<void> {
  requireServer(nc);
  const replicas = { num_replicas: settings.replicas };
  const file = { ...replicas, storage: "file", allow_direct: true, discard: "new", duplicate_window: 120_000 * ms };
  await Promise.all([
    ensureStream(nc, {
      ...file,
      name: names.intake.stream,
      subjects: [names.intake.all],
      retention: "workqueue",
      max_bytes: settings.intakeBytes,
    }),
    ...[names.accepted, names.operations].map(({ stream, all }) =>
      ensureStream(nc, { ...file, name: stream, subjects: [all], retention: "workqueue" }),
    ),
    ensureStream(nc, {
      ...file,
      name: names.park.stream,
      subjects: [names.park.all],
      retention: "workqueue",
      // Schedules refuse discard new; without a limit of count, size or age nothing is ever discarded.
      discard: "old",
      allow_msg_schedules: true,
    }),
    ensureStream(nc, {
      ...file,
      name: names.dead.stream,
      subjects: [names.dead.all],
      retention: "limits",
      max_bytes: settings.deadBytes,
    }),
    ensureStream(nc, { ...bucketStream(names.bucket.control, {}), ...replicas }),
    ensureStream(nc, { ...bucketStream(names.bucket.keys, {}), ...replicas }),
    ensureStream(nc, {
      ...bucketStream(names.bucket.idempotency, { max_age: 86_400_000 * ms, max_bytes: 268_435_456 }),
      ...replicas,
    }),
    // Longer than anything is on its way; after that the tombstones in PostgreSQL do it alone.
    ensureStream(nc, { ...bucketStream(names.bucket.erased, { max_age: 30 * 86_400_000 * ms }), ...replicas }),
    // Days that are over are of no use to anybody.
    ensureStream(nc, { ...bucketStream(names.bucket.providers, { max_age: 3 * 86_400_000 * ms }), ...replicas }),
    ensureStream(nc, {
      ...objectStream(names.objects.screenshots, settings.screenshotDays, settings.screenshotBytes),
      ...replicas,
    }),
  ]);
  await Promise.all(
    [names.accepted, names.dead, names.operations].map(({ stream, consumer }) =>
      ensureConsumer(nc, stream, { durable_name: consumer, ack_wait: 30_000 * ms, max_ack_pending: 10_000 }),
    ),
  );
}

/** The streams, consumers and buckets of a whole mesh: for the edge and for tools that may start before any stage. */
export async function ensureStreams(
  nc: NatsConnection,
  names: Names,
  settings: Settings,
  ...flows: readonly (readonly StageConfig[])[]
): Promise<void> {
  await ensureShared(nc, names, settings);
  await Promise.all(flows.flat().map(({ name }) => ensureStage(nc, names, stageOptions(name, ...flows), settings)));
}

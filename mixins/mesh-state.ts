import type { NatsConnection } from "nats";
import { type Lane, lanes, type Names } from "../config/names.ts";
import { countOf } from "./actor/envelope.ts";
import { type Pause, pausedStages } from "./control.ts";
import { type ConsumerInfo, consumerInfo, errCodes, JetStreamError, jsApi } from "./jetstream.ts";
import type { Resources } from "./resources.ts";
import { getMessage, type Stored, scan } from "./scan.ts";

/**
 * How full the mesh is, as JetStream says it. Everything is asked of consumers one by one: only a consumer's leader has
 * the true figure, and a list of consumers is gathered from whoever answers.
 */
export interface MeshState {
  /** ms since 1970, when it was read. */
  at: number;
  /** Every stage, those beside the flow too, with both lanes, in the pipeline's order. */
  lanes: LaneState[];
  intake: IntakeState;
  /** What the shared streams and the mailboxes hold, by the streams' names. */
  streams: Record<string, StoreState>;
  /** The whole JetStream account. */
  store: { bytes: number /** null: no limit but the disk's. */; limitBytes: number | null };
}

export interface LaneState {
  stage: string;
  lane: Lane;
  /** Leads that can be taken now: in the mailbox, or back from the park and on their way into it. */
  ready: number;
  /** Leads that an instance has in hand. */
  unacknowledged: number;
  /** Leads that wait for their moment; no part of the backlog. */
  parked: number;
  /** The three are estimates: bulk envelopes are counted, and what they hold is known of a few. */
  about: boolean;
  /** Age of the oldest message that is not acknowledged, ms; null for an empty mailbox. */
  oldestMs: number | null;
  /** Envelopes in hand that were delivered before. */
  redelivered: number;
  /** Envelopes delivered since the consumer was made, repeats too: it stands still where nobody receives. */
  delivered: number;
  paused: Pause | null;
  /** The same in envelopes, and how many of them the lane holds before it pushes back. */
  envelopes: { ready: number; unacknowledged: number; parked: number; limit: number };
}

export interface IntakeState {
  envelopes: number;
  /** Leads, estimated. */
  leads: number;
  oldestMs: number | null;
  /** Envelopes by tenant. */
  tenants: Record<string, number>;
}

export interface StoreState {
  messages: number;
  bytes: number;
  /** null: no limit of its own. */
  limitBytes: number | null;
  /** ms since 1970; null for an empty stream. */
  firstAt: number | null;
  lastAt: number | null;
}

/** Stream state as JetStream tells it. */
interface StreamInfo {
  config: { max_bytes: number; max_msgs_per_subject: number };
  state: {
    messages: number;
    bytes: number;
    first_seq: number;
    last_seq: number;
    first_ts: string;
    last_ts: string;
    subjects?: Record<string, number>;
  };
}

/** Bulk envelopes that are looked into for an estimate, evenly over the mailbox: every reader looks into the same ones. */
const samples = 4;
/** Up to so many, all are. */
const fewEnvelopes = 8;
/** What is read is told for so long. */
const freshMs = 1_000;

const readers = new WeakMap<object, MeshReader>();

/** The one reader of this process. */
export function meshReader(resources: Pick<Resources, "nats" | "names" | "flow" | "side">): MeshReader {
  const found = readers.get(resources) ?? new MeshReader(resources);
  readers.set(resources, found);
  return found;
}

/** Reads {@link MeshState} when it is asked for, once a second at the most. */
export class MeshReader {
  readonly #resources: Pick<Resources, "nats" | "names" | "flow" | "side">;
  #last: { at: number; state: Promise<MeshState> } | undefined;

  constructor(resources: Pick<Resources, "nats" | "names" | "flow" | "side">) {
    this.#resources = resources;
  }

  /** Throws an outage when NATS does not answer. */
  read(): Promise<MeshState> {
    const now = Date.now();
    if (!this.#last || now - this.#last.at >= freshMs) {
      const state = this.#read();
      this.#last = { at: now, state };
      // A failure is not kept: whoever asks next looks again.
      state.catch(() => {
        if (this.#last?.state === state) this.#last = undefined;
      });
    }
    return this.#last.state;
  }

  async #read(): Promise<MeshState> {
    const { names, flow, side } = this.#resources;
    const nc = await this.#resources.nats();
    const stages = [...flow, ...side].map(({ name }) => name);
    const shared = [names.accepted.stream, names.park.stream, names.dead.stream];
    const [paused, account, intake, ...rest] = await Promise.all([
      pausedStages(nc, names),
      jsApi(nc, "INFO"),
      streamInfo(nc, names.intake.stream, names.intake.all),
      ...[...stages.map((stage) => names.mailbox(stage).stream), ...shared].map((stream) => streamInfo(nc, stream)),
    ]);
    const byStage = new Map(stages.map((stage, n) => [stage, rest[n]]));
    const park = rest[stages.length + shared.indexOf(names.park.stream)];
    const read = await Promise.all(
      stages.flatMap((stage) =>
        lanes.map((lane) =>
          laneState(nc, names, stage, lane, { mailbox: byStage.get(stage), park }, paused[stage] ?? null),
        ),
      ),
    );
    const told = [
      [names.intake.stream, intake] as const,
      ...stages.map((stage) => [names.mailbox(stage).stream, byStage.get(stage)] as const),
      ...shared.map((stream, n) => [stream, rest[stages.length + n]] as const),
    ];
    const limit: number = account.limits?.max_storage ?? -1;
    return {
      at: Date.now(),
      lanes: read,
      intake: await intakeState(nc, names, intake),
      streams: Object.fromEntries(told.flatMap(([stream, info]) => (info ? [[stream, storeState(info)]] : []))),
      store: { bytes: account.storage, limitBytes: limit > 0 ? limit : null },
    };
  }
}

async function laneState(
  nc: NatsConnection,
  names: Names,
  stage: string,
  lane: Lane,
  infos: { mailbox: StreamInfo | undefined; park: StreamInfo | undefined },
  paused: Pause | null,
): Promise<LaneState> {
  const mailbox = names.mailbox(stage);
  const subject = mailbox.subject(lane);
  const [consumer, due, waits] = await Promise.all([
    infoOf(nc, mailbox.stream, mailbox.consumer(lane)),
    infoOf(nc, names.park.stream, names.park.consumer(stage, lane)),
    infoOf(nc, names.park.stream, names.park.counter(stage, lane)),
  ]);
  const out = consumer?.num_ack_pending ?? 0;
  const waiting = consumer?.num_pending ?? 0;
  const back = (due?.num_pending ?? 0) + (due?.num_ack_pending ?? 0);
  const ready = waiting + back;
  const parked = waits?.num_pending ?? 0;
  const [held, returns, rests, oldest] = await Promise.all([
    leadsPerEnvelope(nc, mailbox.stream, subject, lane, waiting + out, infos.mailbox),
    leadsPerEnvelope(nc, names.park.stream, names.park.due(stage, lane), lane, back, infos.park),
    leadsPerEnvelope(nc, names.park.stream, names.park.waiting(stage, lane), lane, parked, infos.park),
    waiting + out > 0 ? getMessage(nc, mailbox.stream, { seq: 1, subject }) : null,
  ]);
  return {
    stage,
    lane,
    ready: Math.round(waiting * held + back * returns),
    unacknowledged: Math.round(out * held),
    parked: Math.round(parked * rests),
    about: lane === "bulk" && ready + out + parked > 0,
    oldestMs: oldest ? Math.max(0, Date.now() - oldest.storedAt) : null,
    redelivered: consumer?.num_redelivered ?? 0,
    delivered: consumer?.delivered.consumer_seq ?? 0,
    paused,
    envelopes: { ready, unacknowledged: out, parked, limit: infos.mailbox?.config.max_msgs_per_subject ?? 0 },
  };
}

async function intakeState(nc: NatsConnection, names: Names, info: StreamInfo | undefined): Promise<IntakeState> {
  const envelopes = info?.state.messages ?? 0;
  const prefix = names.intake.subject("");
  const held = await leadsPerEnvelope(nc, names.intake.stream, names.intake.all, "bulk", envelopes, info);
  return {
    envelopes,
    leads: Math.round(envelopes * held),
    oldestMs: envelopes > 0 ? Math.max(0, Date.now() - Date.parse(info!.state.first_ts)) : null,
    tenants: Object.fromEntries(
      Object.entries(info?.state.subjects ?? {}).map(([subject, count]) => [subject.slice(prefix.length), count]),
    ),
  };
}

/** The mean over a subject's envelopes: of all, where they are few, else of some, spread over the stream. 1 on the live lane. */
async function leadsPerEnvelope(
  nc: NatsConnection,
  stream: string,
  subject: string,
  lane: Lane,
  envelopes: number,
  info: StreamInfo | undefined,
): Promise<number> {
  if (lane === "live" || envelopes === 0) return 1;
  const looked: Stored[] = [];
  if (envelopes <= fewEnvelopes) {
    for await (const batch of scan(nc, stream, { subject, messages: fewEnvelopes })) {
      looked.push(...batch);
      break;
    }
  } else {
    const { first_seq: first = 1, last_seq: last = 1 } = info?.state ?? {};
    const seqs = Array.from({ length: samples }, (_, n) =>
      Math.floor(first + ((last - first) * n) / Math.max(1, samples - 1)),
    );
    const found = await Promise.all([...new Set(seqs)].map((seq) => getMessage(nc, stream, { seq, subject })));
    looked.push(...found.filter((message) => message !== null));
  }
  const counts = new Map(looked.map(({ seq, headers }) => [seq, countOf(headers)]));
  return counts.size === 0 ? 1 : [...counts.values()].reduce((sum, count) => sum + count, 0) / counts.size;
}

function storeState({ config, state }: StreamInfo): StoreState {
  const time = (text: string) => (state.messages > 0 ? Date.parse(text) : null);
  return {
    messages: state.messages,
    bytes: state.bytes,
    limitBytes: config.max_bytes > 0 ? config.max_bytes : null,
    firstAt: time(state.first_ts),
    lastAt: time(state.last_ts),
  };
}

async function streamInfo(nc: NatsConnection, stream: string, subjects?: string): Promise<StreamInfo | undefined> {
  return found(jsApi(nc, `STREAM.INFO.${stream}`, subjects === undefined ? {} : { subjects_filter: subjects }));
}

/** undefined for a consumer that no stage has made yet. */
function infoOf(nc: NatsConnection, stream: string, consumer: string): Promise<ConsumerInfo | undefined> {
  return found(consumerInfo(nc, stream, consumer));
}

async function found<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const missing: readonly number[] = [errCodes.streamNotFound, errCodes.consumerNotFound];
    if (error instanceof JetStreamError && missing.includes(error.errCode)) return undefined;
    throw error;
  }
}

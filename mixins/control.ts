import { setTimeout as delay } from "node:timers/promises";
import type { KV, KvEntry, NatsConnection, QueuedIterator } from "nats";
import { lanes, type Names } from "../config/names.ts";
import { consumerInfo, jsApi } from "./jetstream.ts";
import { operated } from "./operation-log.ts";

/** Why a stage stands still. */
export interface Pause {
  by: string;
  reason: string;
  /** ms since 1970 */
  at: number;
}

/** Instances that hear of a pause take back what they asked for at once; one that hangs is not waited for longer, ms. */
const comeToRestMs = 3_000;

/**
 * Pauses a stage for all its instances, with its line in the log; survives restarts: it stands in a JetStream bucket.
 * Resolves when no instance asks for more: what comes into the mailbox from then on stays there.
 */
export async function pauseStage(nc: NatsConnection, names: Names, stage: string, pause: Pause): Promise<void> {
  const { by, reason } = pause;
  await operated(nc, names, { tenant: "", by, what: "stage.pause", target: stage, detail: { reason } }, async () => {
    await (await bucket(nc, names)).put(`pause.${stage}`, JSON.stringify(pause));
    await comeToRest(nc, names, stage);
  });
}

async function comeToRest(nc: NatsConnection, names: Names, stage: string): Promise<void> {
  const { stream, consumer } = names.mailbox(stage);
  const until = Date.now() + comeToRestMs;
  const asksIn = async (lane: (typeof lanes)[number]) =>
    (await consumerInfo(nc, stream, consumer(lane))).num_waiting > 0;
  for (const lane of lanes) {
    // A stage that has never run has no consumers.
    while (Date.now() < until && (await asksIn(lane).catch(() => false))) await delay(10);
  }
}

export async function resumeStage(nc: NatsConnection, names: Names, stage: string, by: string): Promise<void> {
  await operated(nc, names, { tenant: "", by, what: "stage.resume", target: stage }, async () => {
    await (await bucket(nc, names)).delete(`pause.${stage}`);
  });
}

/** The stages that are paused now. */
export async function pausedStages(nc: NatsConnection, names: Names): Promise<Record<string, Pause>> {
  const kv = await bucket(nc, names);
  const prefix = `$KV.${names.bucket.control}.`;
  // By the stream's own list of subjects: the client's list of keys has been seen to leave one out.
  const info = await jsApi(nc, `STREAM.INFO.KV_${names.bucket.control}`, { subjects_filter: `${prefix}pause.*` });
  const paused: Record<string, Pause> = {};
  for (const subject of Object.keys(info.state.subjects ?? {})) {
    const entry = await kv.get(subject.slice(prefix.length));
    if (entry?.operation === "PUT") paused[subject.slice(`${prefix}pause.`.length)] = entry.json<Pause>();
  }
  return paused;
}

/** Calls back with the stage's pause, now and at every change. Resolves once the present state was told; returns how to stop. */
export async function watchPause(
  nc: NatsConnection,
  names: Names,
  stage: string,
  onChange: (pause: Pause | null) => void,
): Promise<() => void> {
  const kv = await bucket(nc, names);
  let newest = -1;
  // A look and the watch may overtake each other: only what is newer counts.
  const tell = (entry: KvEntry | null) => {
    const revision = entry?.revision ?? 0;
    if (revision <= newest) return;
    newest = revision;
    onChange(entry?.operation === "PUT" ? entry.json<Pause>() : null);
  };
  const read = async () => tell(await kv.get(`pause.${stage}`));
  const watch = (await kv.watch({ key: `pause.${stage}`, ignoreDeletes: false })) as QueuedIterator<KvEntry>;
  void (async () => {
    for await (const entry of watch) tell(entry);
  })().catch(() => {});
  await read();
  // Covers what the watch may have missed, or that it ended.
  const look = setInterval(() => void read().catch(() => {}), 5_000);
  return () => {
    clearInterval(look);
    watch.stop();
  };
}

function bucket(nc: NatsConnection, names: Names): Promise<KV> {
  return nc.jetstream().views.kv(names.bucket.control, { bindOnly: true });
}

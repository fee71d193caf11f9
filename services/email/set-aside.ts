import type { JsMsg, NatsConnection } from "nats";
import type { Names } from "../../config/names.ts";
import type { Settings } from "../../config/settings.ts";
import { outage } from "../../mixins/errors.ts";
import { ensureConsumer, ensureStream, jsApi } from "../../mixins/jetstream.ts";
import { type Databases, statement } from "../../mixins/knex.ts";
import { suppress } from "./suppressions.sql.ts";

/**
 * Unsubscriptions that came while the database was away. Like leads, they need NATS alone to be taken in: they rest in a
 * stream until the database has them, and a sender begins nothing while one rests there.
 */
export interface Place {
  nc: NatsConnection;
  names: Names;
}

/** Taken from the stream in one go. */
const most = 500;
/** What a process that died had taken comes back after this, ns. */
const ackWaitNs = 10e9;
/** The shortest time that the client allows for that, ms. */
const fetchMs = 1_000;

/** Makes the stream and its reader, or brings them up to date. */
export async function ensureSetAside({ nc, names }: Place, { replicas }: Pick<Settings, "replicas">): Promise<void> {
  const { stream, all, consumer } = names.unsubscribed;
  await ensureStream(nc, {
    name: stream,
    subjects: [all],
    storage: "file",
    allow_direct: true,
    discard: "new",
    retention: "workqueue",
    num_replicas: replicas,
    max_bytes: 67_108_864,
  });
  await ensureConsumer(nc, stream, { durable_name: consumer, ack_wait: ackWaitNs });
}

/** Keeps one; resolves when JetStream has it. A repeat is harmless. */
export async function setAside({ nc, names }: Place, { tenant, address }: { tenant: string; address: Buffer }) {
  try {
    await nc.jetstream().publish(names.unsubscribed.subject(tenant), address);
  } catch (error) {
    throw outage("nats", error);
  }
}

/**
 * Writes what rests in the stream into the lists of suppressions. Resolves to whether nothing rests there any more: some
 * of it may be in another process's hands. Throws an outage of the database; then all of it rests there still.
 */
export async function writeSetAside({ nc, names }: Place, databases: Databases): Promise<boolean> {
  const { stream, consumer, subject } = names.unsubscribed;
  const resting = async (): Promise<number> => (await jsApi(nc, `STREAM.INFO.${stream}`)).state.messages;
  const count = await resting();
  if (count === 0) return true;
  const taken: JsMsg[] = [];
  try {
    const reader = await nc.jetstream().consumers.get(stream, consumer);
    const asked = { max_messages: Math.min(count, most), expires: fetchMs };
    for await (const message of await reader.fetch(asked)) taken.push(message);
  } catch (error) {
    throw outage("nats", error);
  }
  const wanted = taken.map((message) => ({
    tenant: message.subject.slice(subject("").length),
    address: Buffer.from(message.data),
    reason: "unsubscribed" as const,
  }));
  try {
    for (const { knex, things } of databases.group(wanted, ({ tenant }) => tenant))
      await statement(() => suppress(knex, things));
  } catch (error) {
    for (const message of taken) message.nak();
    throw error;
  }
  await Promise.all(taken.map((message) => message.ackAck()));
  return (await resting()) === 0;
}

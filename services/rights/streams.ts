import type { NatsConnection } from "nats";
import { headers, type Names } from "../../config/names.ts";
import { unpack } from "../../mixins/actor/envelope.ts";
import { parkEnvelopes } from "../../mixins/actor/mover.ts";
import type { Publisher, PublishOptions } from "../../mixins/actor/publisher.ts";
import { errCodes, JetStreamError, jsApi } from "../../mixins/jetstream.ts";
import { getMessage, ownHeaders, type Stored, scan, streamNames } from "../../mixins/scan.ts";
import type { Lead } from "../leads/lead.ts";
import { type Decision, type Erased, names as holds, ofDeadLetter, ofEnvelope } from "./rewrite.ts";

export interface Sweep {
  nc: NatsConnection;
  names: Names;
  publisher: Publisher;
  /** The stages in order: the first one's mailbox follows the intake. */
  stages: readonly string[];
  tenant: string;
  leadIds: readonly string[];
  /** Told of each copy before it goes, and of messages that go without one (none): what it throws keeps them where they are. */
  onCopies(tellings: readonly Lead[]): Promise<void>;
}

interface Hit {
  message: Stored;
  decision: Decision;
}

/** How long JetStream may take to store what is left of an envelope. */
const patience: PublishOptions = { full: "wait", timeoutMs: 10_000 };

/**
 * Takes every copy of these leads out of the streams, in the order in which leads move. What else is in their envelopes
 * is published first, by way of the park (the mailbox may be full, and the park has no limit), and only then the
 * message deleted, its bytes overwritten: a crash between the two makes a repeat of the others, which every stage takes.
 * A message that a stage has in hand goes as well; the stage lets the lead go by itself (mixins/erased.ts).
 * Returns how many copies were taken out, by stream. Throws `ENVELOPE` for an envelope of a form that this code does not
 * know: the erasure is not finished before somebody who knows it has been there.
 */
export async function sweep(options: Sweep): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const { nc, names, tenant, leadIds } = options;
  for (const stream of await streamsInOrder(options)) {
    const subject = stream === names.intake.stream ? names.intake.subject(tenant) : ">";
    for await (const batch of scan(nc, stream, { subject })) {
      const found = batch
        .filter(({ data }) => holds(data, leadIds))
        .map((message): Hit => ({ message, decision: decide(names, stream, message, options) }))
        .filter(({ decision }) => decision.kind !== "keep");
      if (found.length === 0) continue;
      const gone = await takeOut(options, stream, found);
      counts[stream] = (counts[stream] ?? 0) + gone;
    }
  }
  return counts;
}

/** Takes a batch of messages out: their tellings noted, then the rest published, then deleted. */
async function takeOut(options: Sweep, stream: string, found: readonly Hit[]): Promise<number> {
  const tellings = found.flatMap(({ decision }) => ("tellings" in decision ? decision.tellings : []));
  await options.onCopies(tellings);
  await Promise.all(found.map((hit) => publishLeft(options, stream, hit)));
  await Promise.all(found.map(({ message }) => remove(options.nc, stream, message.seq)));
  return Math.max(tellings.length, found.length);
}

/**
 * Was this lead accepted, and has the record not heard of it yet? By its own note, or by the tenant's notes of envelopes
 * that are not booked yet: no mailbox is looked through, so that ids asked for at random cost nobody anything.
 */
export async function isQueued(
  { nc, names }: Pick<Sweep, "nc" | "names">,
  tenant: string,
  leadId: string,
): Promise<boolean> {
  const { stream, one, many } = names.accepted;
  if (await getMessage(nc, stream, { seq: 1, subject: one(tenant, leadId) })) return true;
  const id = Buffer.from(leadId.replaceAll("-", ""), "hex");
  for await (const batch of scan(nc, stream, { subject: many(tenant) }))
    if (batch.some(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).includes(id))) return true;
  return false;
}

/** The intake, the mailboxes in their order, the park, the dead letters; whatever else is ours and may hold leads first. */
async function streamsInOrder({ nc, names, stages }: Pick<Sweep, "nc" | "names" | "stages">): Promise<string[]> {
  const order = [
    names.intake.stream,
    ...stages.map((stage) => names.mailbox(stage).stream),
    names.park.stream,
    names.dead.stream,
  ];
  // It holds ids alone, which the count needs.
  const others = [names.accepted.stream, ...names.leadless];
  const found = await streamNames(nc, names.streams);
  return found.filter((stream) => !others.includes(stream)).sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

function decide(names: Names, stream: string, { data, subject, headers: h }: Stored, erased: Erased): Decision {
  if (stream !== names.dead.stream) return ofEnvelope(data, erased, h?.get(headers.tenant) || undefined);
  const told = subject.split(".").at(-1);
  return ofDeadLetter(data, erased, told === names.dead.nobody ? undefined : told);
}

/** Publishes what is left of a message. */
async function publishLeft(options: Sweep, stream: string, { message, decision }: Hit): Promise<void> {
  switch (decision.kind) {
    case "keep":
    case "drop":
      return;
    case "rest":
      return publishRest(options, stream, message, decision);
    case "strip": {
      const h = ownHeaders(message);
      h.set(headers.msgId, `stripped.${stream}.${message.seq}`);
      const letter = new TextEncoder().encode(JSON.stringify(decision.letter));
      await options.publisher.publish(message.subject, letter, h, patience);
      return;
    }
    default:
      return decision satisfies never;
  }
}

async function publishRest(
  { names, publisher, stages }: Sweep,
  stream: string,
  message: Stored,
  { items }: Extract<Decision, { kind: "rest" }>,
): Promise<void> {
  const { route } = unpack<Lead>(message.data, message.headers);
  const stage = stageOf(names, stages, stream, message);
  // Its own moment, else when it was stored: made twice, the same message, which JetStream takes once.
  const until = Date.parse(message.headers?.get(headers.schedule).replace("@at ", "") ?? "") || message.storedAt;
  const parked = items.map((item) => ({ item, until, seq: message.seq }));
  for (const { subject, envelope } of parkEnvelopes(names, stage, route, parked)) {
    if (message.headers?.has(headers.suspect)) envelope.headers.set(headers.suspect, "1");
    await publisher.publish(subject, envelope.data, envelope.headers, patience);
  }
}

/** Whose mailbox a message goes to, or stands in. */
function stageOf(names: Names, stages: readonly string[], stream: string, message: Stored): string {
  if (stream === names.park.stream) return message.headers?.get(headers.stage) ?? "";
  const own = stream.slice(names.streams.length);
  return stream === names.intake.stream ? stages[0]! : own;
}

/** Deletes a message and overwrites its bytes. One that has left meanwhile was acknowledged: its successor is looked for further on. */
async function remove(nc: NatsConnection, stream: string, seq: number): Promise<void> {
  try {
    await jsApi(nc, `STREAM.MSG.DELETE.${stream}`, { seq, no_erase: false });
  } catch (error) {
    if (!(error instanceof JetStreamError)) throw error;
    // The second says why in words alone.
    const isGone =
      error.errCode === errCodes.messageNotFound ||
      (error.errCode === errCodes.messageDeleteFailed && /no message found|not found/i.test(error.message));
    if (!isGone) throw error;
  }
}

import type { NatsConnection } from "nats";
import { headers, type Lane, type Names } from "../../config/names.ts";
import { errCodes, type JetStreamError } from "../jetstream.ts";
import { ownHeaders, type Stored, scan } from "../scan.ts";
import { sleep } from "./outage.ts";
import type { Publisher } from "./publisher.ts";

/**
 * Parked envelopes that the server has forgotten. What is due while the store is full the server cannot put under its due
 * subject; it notes that it has tried (nats-server 2.15.1, `inflight` in scheduler.go), and tries no more until it starts
 * again or another one leads the stream: such leads would wait for ever. Their schedules are put again.
 */

/** Envelopes of one read: 64 of the largest are 4 MB. */
const readMessages = 64;
/** After each read it rests so many times as long, and so long at the most, ms: however much is parked, it takes a hundredth of the time. */
const rests = 99;
const restMaxMs = 1_000;

export interface OverdueOptions {
  nc: NatsConnection;
  names: Names;
  stage: string;
  lane: Lane;
  publisher: Publisher;
  signal: AbortSignal;
}

/**
 * Wakes what should have come before `dueBefore` (ms since 1970); answers how many. Any number may do so at once: a
 * schedule is put in the place of the very message that was read, and where that has come due, or was erased, nothing is.
 */
export async function wakeOverdue(options: OverdueOptions, dueBefore: number): Promise<number> {
  const { nc, names, stage, lane, signal } = options;
  let woken = 0;
  // What was put again has its moment before it: it stands at the end, where this comes by.
  const storedBefore = Math.min(dueBefore, Date.now());
  const subject = names.park.waiting(stage, lane);
  let from = performance.now();
  for await (const batch of scan(nc, names.park.stream, { subject, messages: readMessages })) {
    const readMs = performance.now() - from;
    const late = batch.filter((message) => dueAt(message) < dueBefore && message.storedAt < storedBefore);
    const done = await Promise.all(late.map((message) => putAgain(options, message)));
    woken += done.filter(Boolean).length;
    await sleep(Math.min(readMs * rests, restMaxMs), signal);
    from = performance.now();
  }
  return woken;
}

/** Not a number where it says no moment: later than any. */
function dueAt(message: Stored): number {
  return Date.parse(message.headers?.get(headers.schedule).replace("@at ", "") ?? "");
}

async function putAgain({ publisher, signal }: OverdueOptions, message: Stored): Promise<boolean> {
  // Without its `Nats-Msg-Id`, by which it would be dropped as a repeat.
  const h = ownHeaders(message);
  for (const name of [headers.schedule, headers.scheduleTarget]) h.set(name, message.headers!.get(name));
  h.set(headers.expectedLast, String(message.seq));
  try {
    await publisher.publish(message.subject, message.data, h, { full: "wait", signal });
    return true;
  } catch (error) {
    if ((error as JetStreamError).errCode === errCodes.wrongLastSequence) return false;
    throw error;
  }
}

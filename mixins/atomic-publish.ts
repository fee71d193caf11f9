import { type MsgHdrs, type NatsConnection, headers as natsHeaders, nuid } from "nats";
import { LeadsError, outage } from "./errors.ts";
import { errCodes, JetStreamError } from "./jetstream.ts";

export interface AtomicMessage {
  subject: string;
  data: Uint8Array;
  headers: MsgHdrs;
}

/** JetStream's codes for "no room", as a batch meets them. */
const full: readonly number[] = [10077, 10167, 10122, 10023, 10047];
const timeoutMs = 10_000;

/** A message of the batch asked for its subject to be empty, and it was not: nothing of the batch is stored. */
export function isAlreadyThere(error: unknown): boolean {
  return error instanceof JetStreamError && error.errCode === errCodes.wrongLastSequence;
}

/**
 * Stores messages in one stream, all or none (https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-50.md).
 * Throws `MAILBOX_FULL`, {@link isAlreadyThere}, or an outage, after which they are stored or not. A batch is a file of
 * its own to the server: one takes 20 ms here, whatever its size, so that many messages belong into one.
 */
export async function publishAtomically(nc: NatsConnection, messages: readonly AtomicMessage[]): Promise<void> {
  const batch = nuid.next();
  const last = messages.length - 1;
  const headersOf = (n: number) => {
    const h = natsHeaders();
    for (const [name, values] of messages[n]!.headers) for (const value of values) h.append(name, value);
    h.set("Nats-Batch-Id", batch);
    h.set("Nats-Batch-Sequence", String(n + 1));
    if (n === last) h.set("Nats-Batch-Commit", "1");
    return h;
  };
  for (const [n, { subject, data }] of messages.slice(0, last).entries())
    nc.publish(subject, data, { headers: headersOf(n) });
  const { subject, data } = messages[last]!;
  let answer: { error?: { code: number; err_code?: number; description?: string } };
  try {
    answer = (await nc.request(subject, data, { headers: headersOf(last), timeout: timeoutMs })).json();
  } catch (error) {
    throw outage("nats", error);
  }
  if (!answer.error) return;
  if (full.includes(answer.error.err_code ?? 0))
    throw new LeadsError("MAILBOX_FULL", `${subject} is full`, { subject });
  const refused = new JetStreamError(`publish to ${subject}`, answer.error);
  throw isAlreadyThere(refused) ? refused : outage("nats", refused);
}

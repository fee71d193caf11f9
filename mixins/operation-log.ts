import { randomUUID } from "node:crypto";
import { type NatsConnection, headers as natsHeaders } from "nats";
import { headers, type Names } from "../config/names.ts";
import { errorOf } from "./actor/dead-letter.ts";
import { outage } from "./errors.ts";
import { JetStreamError } from "./jetstream.ts";

/** What an operator does. */
export interface Operation {
  /** "" for what is everybody's. */
  tenant: string;
  /** Who: `key <id>`, `repl <user>@<host>`, `command <user>@<host>`. */
  by: string;
  /** What, as a word of two parts: `stage.pause`. */
  what: string;
  /** On what. */
  target: string;
  /** What else it was told. Nothing personal. */
  detail?: Record<string, unknown>;
}

/** A line of the log, as it travels to the record: at first without a result, then with one. */
export interface OperationEntry extends Required<Operation> {
  id: string;
  /** ms since 1970 */
  at: number;
  /** `done`, or the type of the error that stopped it. */
  result?: string;
  endedAt?: number;
}

/**
 * Does what an operator asks for, with its line in the log: the line first, or nothing is done; what came of it after. It
 * needs NATS alone, as pausing a stage does: from the stream the recorder brings it to the database. A line that never
 * gets a result is of a process that died on the way.
 */
export async function operated<T>(
  nc: NatsConnection,
  names: Names,
  operation: Operation,
  act: (operationId: string) => Promise<T>,
): Promise<T> {
  const entry: OperationEntry = { detail: {}, ...operation, id: randomUUID(), at: Date.now() };
  await tell(nc, names, entry);
  let result = "done";
  try {
    return await act(entry.id);
  } catch (error) {
    result = errorOf(error as Error).type;
    throw error;
  } finally {
    // The act is done or not, whatever becomes of this.
    await tell(nc, names, { ...entry, result, endedAt: Date.now() }).catch(() => {});
  }
}

async function tell(nc: NatsConnection, names: Names, entry: OperationEntry): Promise<void> {
  const h = natsHeaders();
  h.set(headers.msgId, `${entry.id}.${entry.result === undefined ? "begun" : "ended"}`);
  let answer: { error?: { code: number; err_code?: number; description?: string } };
  try {
    const subject = names.operations.subject(entry.tenant);
    answer = (await nc.request(subject, JSON.stringify(entry), { headers: h, timeout: 5_000 })).json();
  } catch (error) {
    throw outage("nats", error);
  }
  // A full store, or no leader yet: a later try can succeed.
  if (answer.error) throw outage("nats", new JetStreamError("the log of operations", answer.error));
}

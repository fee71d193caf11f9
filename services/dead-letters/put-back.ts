import { setTimeout as delay } from "node:timers/promises";
import { type NatsConnection, headers as natsHeaders } from "nats";
import { headers, type Names } from "../../config/names.ts";
import { type Envelope, pack } from "../../mixins/actor/envelope.ts";
import { type AtomicMessage, isAlreadyThere, publishAtomically } from "../../mixins/atomic-publish.ts";
import { outage } from "../../mixins/errors.ts";
import { errCodes, JetStreamError, jsApi } from "../../mixins/jetstream.ts";
import type { Lead } from "../leads/lead.ts";
import type { Letter } from "./plan.ts";

export interface PutBack {
  nc: NatsConnection;
  names: Names;
  stage: string;
  jobId: string;
  letters: readonly { id: string; claim: number; letter: Letter; lead: Lead }[];
  /** Asked right before each publish. */
  mayPublish(): boolean;
  signal: AbortSignal;
}

/** Bytes of one atomic publish: the server holds it whole until it is committed. */
const batchBytes = 4_194_304;
/** How soon a full mailbox is tried again. */
const fullMs = 200;

/**
 * Puts letters' leads back into a stage's mailbox, each once, however often this is done and by whom. Each envelope is
 * stored together with a marker whose subject must be empty: in one step of the server, so that the marker says for sure
 * whether its envelope was stored, after any crash and any time. (A `Nats-Msg-Id` says so for two minutes.) Resolves when
 * all are stored; a full mailbox is waited for, until `signal`.
 */
export async function putBack(options: PutBack): Promise<void> {
  const { names, stage, jobId, letters, mayPublish, signal } = options;
  const mailbox = names.mailbox(stage);
  let waiting = letters.map(({ id, claim, letter, lead }) => {
    const [envelope] = pack(routeOf(letter), [{ lead }], 1) as [Envelope];
    // That of its first way through may still stand in the window of repeats.
    envelope.headers.delete(headers.msgId);
    const first = natsHeaders();
    first.set(headers.expectedLast, "0");
    const marker = { subject: mailbox.redriven(jobId, claim, id), data: new Uint8Array(), headers: first };
    return { marker, envelope: { subject: mailbox.subject(letter.lane!), ...envelope } };
  });
  let most = waiting.length;
  while (waiting.length > 0) {
    const group = fitting(waiting, most);
    if (signal.aborted || !mayPublish()) throw outage("dead-letters", new Error("the job is handed on"));
    try {
      await publishAtomically(
        options.nc,
        group.flatMap(({ marker, envelope }): AtomicMessage[] => [marker, envelope]),
      );
      waiting = waiting.slice(group.length);
    } catch (error) {
      if (isAlreadyThere(error)) waiting = await without(options, waiting);
      else if ((error as { type?: string }).type !== "MAILBOX_FULL") throw error;
      else if (group.length > 1) most = Math.ceil(group.length / 2);
      else await delay(fullMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** The first `most` of them at the most, and no more than the server takes at once. */
function fitting<T extends { envelope: { data: Uint8Array } }>(waiting: readonly T[], most: number): T[] {
  const group: T[] = [];
  let bytes = 0;
  for (const one of waiting.slice(0, most)) {
    bytes += one.envelope.data.length;
    if (group.length > 0 && bytes > batchBytes) break;
    group.push(one);
  }
  return group;
}

/** Those whose marker does not stand yet. */
async function without<T extends { marker: { subject: string } }>(
  { nc, names, stage }: PutBack,
  waiting: readonly T[],
): Promise<T[]> {
  const { stream } = names.mailbox(stage);
  const stand = await Promise.all(waiting.map(({ marker }) => stands(nc, stream, marker.subject)));
  return waiting.filter((_, n) => !stand[n]);
}

/** Was this letter put back by this job? Its holder may have died after it let go of the letter. */
export async function wasPutBack(
  { nc, names, jobId }: Pick<PutBack, "nc" | "names" | "jobId">,
  stages: readonly string[],
  letter: { id: string; claim: number },
): Promise<boolean> {
  const stand = stages.map((stage) => {
    const { stream, redriven } = names.mailbox(stage);
    return stands(nc, stream, redriven(jobId, letter.claim, letter.id));
  });
  return (await Promise.all(stand)).includes(true);
}

/** Does a stream hold a message on this subject? Asked of its leader. */
async function stands(nc: NatsConnection, stream: string, subject: string): Promise<boolean> {
  try {
    await jsApi(nc, `STREAM.MSG.GET.${stream}`, { last_by_subj: subject });
    return true;
  } catch (error) {
    const missing: readonly number[] = [errCodes.messageNotFound, errCodes.streamNotFound];
    if (error instanceof JetStreamError && missing.includes(error.errCode)) return false;
    throw error;
  }
}

function routeOf({ lane, tenant, requestId, traceparent, importId, lead }: Letter) {
  return {
    tenant: tenant ?? lead!.tenant,
    lane: lane!,
    requestId,
    traceparent,
    ...(importId === undefined ? {} : { importId }),
  };
}

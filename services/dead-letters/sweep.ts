import type { Knex } from "knex";
import type { NatsConnection } from "nats";
import type { Names } from "../../config/names.ts";
import { errCodes, JetStreamError, jsApi } from "../../mixins/jetstream.ts";
import { statement } from "../../mixins/knex.ts";
import { getFromLeader, getMessage } from "../../mixins/scan.ts";
import { endMerged, mergedLetters } from "../leads/dead-letters.sql.ts";
import type { LetterKey } from "./letter-id.ts";
import { noteSwept, unsweptJobs } from "./sweep.sql.ts";

/** What is left in the streams by letters and jobs that are over. All of it can be done again, by any number at once. */

export interface Streams {
  nc: NatsConnection;
  names: Names;
}

/** Letters of a look: one request or two each. */
const mostMerged = 100;

/**
 * A letter's message; null where the stream does not hold it, which is its leader's word, as letters are closed on it. A
 * stream that was made anew gives sequences again.
 */
export async function messageOf({ nc, names }: Streams, { seq, diedAt }: LetterKey) {
  const { stream } = names.dead;
  const message = (await getMessage(nc, stream, { seq })) ?? (await getFromLeader(nc, stream, seq));
  return message && Math.abs(message.storedAt - diedAt) <= 1 ? message : null;
}

/** Takes a letter out of the stream; one that has left it is no matter. */
export async function deleteLetter({ nc, names }: Streams, { seq }: Pick<LetterKey, "seq">): Promise<void> {
  try {
    await jsApi(nc, `STREAM.MSG.DELETE.${names.dead.stream}`, { seq, no_erase: true });
  } catch (error) {
    const gone: readonly number[] = [errCodes.messageNotFound, errCodes.messageDeleteFailed];
    if (!(error instanceof JetStreamError && gone.includes(error.errCode))) throw error;
  }
}

/** Takes the letters out of the stream whose leads have become doubles of others, and closes them then. */
export async function sweepMerged(streams: Streams, knex: Knex): Promise<void> {
  const letters = await statement(() => mergedLetters(knex, mostMerged));
  if (letters.length === 0) return;
  await Promise.all(
    letters.map(async (letter) => {
      if (await messageOf(streams, letter)) await deleteLetter(streams, letter);
    }),
  );
  await statement(() => endMerged(knex, letters));
}

/** Takes the markers of jobs that ended longer than `restMs` ago out of the mailboxes of all stages. */
export async function sweepMarkers(
  streams: Streams,
  knex: Knex,
  stages: Iterable<string>,
  restMs: number,
): Promise<void> {
  for (const id of await unsweptJobs(knex, restMs)) {
    for (const stage of stages) await purgeMarkers(streams, stage, streams.names.mailbox(stage).redrivenBy(id));
    await noteSwept(knex, id);
  }
}

export async function purgeMarkers({ nc, names }: Streams, stage: string, filter: string): Promise<void> {
  try {
    await jsApi(nc, `STREAM.PURGE.${names.mailbox(stage).stream}`, { filter });
  } catch (error) {
    if (!(error instanceof JetStreamError && error.errCode === errCodes.streamNotFound)) throw error;
  }
}

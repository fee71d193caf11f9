import type { NatsConnection } from "nats";
import type { Names } from "../../config/names.ts";
import { consumerInfo, errCodes, JetStreamError, jsApi } from "../../mixins/jetstream.ts";
import { type Databases, statement } from "../../mixins/knex.ts";
import { isIndexEmpty } from "./dead-letters.sql.ts";

/**
 * Has the stream of dead letters read anew from its beginning where letters stand in it that the index knows nothing of at
 * all: those that died before there was an index (migration 070), or before the database was set up anew. Nobody could
 * list or redrive them. The reader finds its consumer gone and makes it again; to file a letter twice changes nothing.
 * Says whether it did so.
 */
export async function reindexDeadLetters(nc: NatsConnection, names: Names, databases: Databases): Promise<boolean> {
  const { stream, consumer } = names.dead;
  for (const { knex } of databases.all()) if (!(await statement(() => isIndexEmpty(knex)))) return false;
  try {
    const { state } = await jsApi(nc, `STREAM.INFO.${stream}`);
    const { ack_floor } = await consumerInfo(nc, stream, consumer);
    if (state.messages === 0 || ack_floor.stream_seq < state.first_seq) return false;
    await jsApi(nc, `CONSUMER.DELETE.${stream}.${consumer}`);
    return true;
  } catch (error) {
    const missing: readonly number[] = [errCodes.streamNotFound, errCodes.consumerNotFound];
    if (error instanceof JetStreamError && missing.includes(error.errCode)) return false;
    throw error;
  }
}

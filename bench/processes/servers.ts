import type { Knex } from "knex";
import { createDatabase } from "../../bin/stack/postgres.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { migrate } from "../../services/leads/migrations/migrate.ts";
import { type OwnServer, ownNats, ownPostgres, ownRedis } from "../../test/support/servers.ts";

/** Servers of a bench's own, PostgreSQL with fsync, and an empty record. */
export interface BenchServers {
  nats: OwnServer;
  redis: OwnServer | null;
  postgres: OwnServer;
  /** The bench's own connection to the record, not counted against the mesh. */
  knex: Knex;
  /** Settings by their `LEADS_` names. */
  env: Record<string, string>;
}

/** They end with `stack`. */
export async function startServers(stack: AsyncDisposableStack): Promise<BenchServers> {
  const nats = stack.use(await ownNats());
  const redis = stack.use(await ownRedis());
  const postgres = stack.use(await ownPostgres({ durable: true }));
  const databaseUrl = await createDatabase(postgres.url, "bench");
  const knex = openDatabase({ databaseUrl, databasePool: 2, statementTimeoutMs: 3_600_000 });
  stack.defer(() => knex.destroy());
  await migrate(knex);
  const env = {
    LEADS_NATS_URL: nats.url,
    LEADS_DATABASE_URL: databaseUrl,
    LEADS_REDIS_URL: redis?.url ?? "",
    LEADS_LOG_LEVEL: "error",
  };
  return { nats, redis, postgres, knex, env };
}

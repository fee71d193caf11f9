import type { Knex } from "knex";
import { loadSettings } from "../../config/settings.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { ownNats, ownPostgres } from "../../test/support/servers.ts";
import { createTable, truncate, upsert } from "./checkpoint.sql.ts";
import { type Comparison, meshChain } from "./compare.ts";

/** Where a chain runs. */
export interface ChainPlace {
  natsUrl: string;
  databaseUrl: string;
  knex: Knex;
}
type Chain = Pick<Comparison, "stages" | "checkpoints">;
interface Size {
  perEnvelope: number;
  count: number;
  /** Leads of a batch at the most. */
  batchLeads?: number;
}

let serial = 0;

/** Leads a second of a chain on the mesh. */
export async function meshRateAt(
  place: ChainPlace,
  chain: Chain,
  { perEnvelope, count, batchLeads = 250 }: Size,
): Promise<number> {
  await truncate(place.knex);
  const settings = loadSettings({
    LEADS_PREFIX: `r${serial++}`,
    LEADS_NATS_URL: place.natsUrl,
    LEADS_DATABASE_URL: place.databaseUrl,
    LEADS_LOG_LEVEL: "error",
    LEADS_MAILBOX_ENVELOPES: "1000000",
  });
  const shape = { batchLeads, perEnvelope, concurrency: 2 };
  const { tookMs } = await meshChain({ settings, shape, count, ...chain }, (batch, step) =>
    upsert(place.knex, batch, step),
  );
  return count / (tookMs / 1_000);
}

/** The same on servers of its own, after a run that warms the process up. */
export async function meshRate(chain: Chain, size: Size): Promise<number> {
  await using nats = await ownNats();
  await using postgres = await ownPostgres({ durable: true });
  const knex = openDatabase({ databaseUrl: postgres.url, databasePool: 8, statementTimeoutMs: 60_000 });
  try {
    await createTable(knex);
    const place = { natsUrl: nats.url, databaseUrl: postgres.url, knex };
    await meshRateAt(place, chain, { ...size, count: size.count / 4 });
    return await meshRateAt(place, chain, size);
  } finally {
    await knex.destroy();
  }
}

import { openDatabase } from "../../mixins/knex.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { type OwnServer, ownNats, ownPostgres, ownRedis } from "../../test/support/servers.ts";
import { aLead } from "../load.ts";
import { atLeast, type BenchOptions, figure, median, type Row } from "../row.ts";
import { createTable, truncate, upsert } from "./checkpoint.sql.ts";
import type { Comparison } from "./compare.ts";
import { meshRateAt } from "./mesh-rate.ts";
import { gathering, loadPeer, type PeerName, peerNames } from "./peer.ts";

type Chain = Pick<Comparison, "stages" | "checkpoints">;

/** Leads a job, with what is tried for each and what the mesh must reach: so many times the better peer's rate. */
const sizes = [
  {
    perJob: 1,
    goal: 9,
    leads: { mesh: 40_000, peer: 8_000 },
    concurrency: { bullmq: [100, 500], channels: [100, 500] },
  },
  {
    perJob: 50,
    goal: 1.5,
    leads: { mesh: 40_000, peer: 20_000 },
    concurrency: { bullmq: [10, 50], channels: [10, 50] },
  },
] as const;
/** Batches of the mesh that are tried, as two concurrencies of each peer are. */
const batches = [250, 500] as const;
/** What a peer's jobs write together where they share statements: as much as the larger batch of the mesh. */
const statementLeads = 500;

/** The Redis of BullMQ. Throws where there is no redis-server: a goal that was not looked at is not held. */
export async function redisOfPeers(): Promise<OwnServer> {
  const redis = await ownRedis();
  if (redis === null) throw new Error("no redis-server: the mesh cannot be held against BullMQ");
  return redis;
}

/**
 * The same chain on other libraries, in one run and by turns with the mesh's: each has the settings that its documentation
 * gives for throughput (bench/README.md) and the better of two concurrencies, the mesh the better of two batch sizes. A
 * job writes its own leads, as they have it. What they could do with statements shared by jobs, which is code beside them,
 * is told as well.
 */
export async function againstPeers(
  redis: OwnServer,
  { stages, checkpoints }: Chain,
  { short, log }: BenchOptions,
): Promise<Row[]> {
  await using nats = await ownNats();
  await using postgres = await ownPostgres({ durable: true });
  const knex = openDatabase({ databaseUrl: postgres.url, databasePool: 8, statementTimeoutMs: 60_000 });
  await createTable(knex);
  const scale = short ? 4 : 1;
  let serial = 0;

  const place = { natsUrl: nats.url, databaseUrl: postgres.url, knex };
  const mesh = (perEnvelope: number, count: number, batchLeads: number = batches[0]) =>
    meshRateAt(place, { stages, checkpoints }, { perEnvelope, count, batchLeads });
  const peer = async (name: PeerName, perJob: number, concurrency: number, count: number, isShared: boolean) => {
    await truncate(knex);
    const run = await loadPeer(name);
    const writers = stages.map((_, n) => {
      const write = (leads: Lead[]) => upsert(knex, leads, n + 1);
      return isShared ? gathering(write, statementLeads) : write;
    });
    const tookMs = await run({
      prefix: `p${serial++}`,
      natsUrl: nats.url,
      redisUrl: redis.url,
      stages,
      count,
      perJob,
      concurrency,
      lead: aLead,
      checkpoint: async (n, leads) => {
        if (checkpoints.has(n)) await writers[n]!(leads);
      },
    });
    return count / (tookMs / 1_000);
  };

  const rows: Row[] = [];
  try {
    // The first run of a process is its slowest: it is not counted.
    await mesh(50, sizes[0].leads.mesh / 4);
    for (const { perJob, goal, leads, concurrency } of sizes) {
      const rates = new Map<string, number[]>();
      const note = (who: string, rate: number) => {
        log(`${who}, ${perJob} a job: ${Math.round(rate)} leads/s`);
        rates.set(who, [...(rates.get(who) ?? []), rate]);
      };
      for (let turn = 0; turn < (short ? 1 : 3); turn++) {
        for (const batch of batches) note(`mesh, batches of ${batch}`, await mesh(perJob, leads.mesh / scale, batch));
        for (const name of peerNames) {
          for (const isShared of [false, true])
            for (const atOnce of concurrency[name]) {
              const rate = await peer(name, perJob, atOnce, leads.peer / scale, isShared);
              note(`${name}, ${isShared ? "statements shared" : "a statement a job"}, ${atOnce} at once`, rate);
            }
        }
      }
      const of = (who: string) =>
        Math.max(...[...rates].filter(([key]) => key.startsWith(who)).map(([, r]) => median(r)));
      const best = (how: string) => Math.max(...peerNames.map((name) => of(`${name}, ${how}`)));
      rows.push(
        figure("chain", `mesh beside its peers, ${perJob} a job`, "leads/s", of("mesh")),
        figure("chain", `BullMQ, ${perJob} a job`, "leads/s", of("bullmq, a statement")),
        figure("chain", `@moleculer/channels, ${perJob} a job`, "leads/s", of("channels, a statement")),
        atLeast("chain", `mesh / better peer, ${perJob} a job`, "ratio", of("mesh") / best("a statement"), goal),
        figure("chain", `BullMQ, ${perJob} a job, jobs share statements`, "leads/s", of("bullmq, statements")),
        figure(
          "chain",
          `@moleculer/channels, ${perJob} a job, jobs share statements`,
          "leads/s",
          of("channels, statements"),
        ),
        figure(
          "chain",
          `mesh / better peer, ${perJob} a job, jobs share statements`,
          "ratio",
          of("mesh") / best("statements"),
        ),
      );
    }
    return rows;
  } finally {
    await knex.destroy();
  }
}

import { ServiceBroker } from "moleculer";
import { connect } from "nats";
import { type Lane, namesFor } from "../../config/names.ts";
import type { StageConfig } from "../../config/pipeline.ts";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { forward } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { defineService } from "../../mixins/schema.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { ownNats, ownPostgres } from "../../test/support/servers.ts";
import { preload } from "../load.ts";
import { atLeast, type BenchOptions, figure, median, type Row } from "../row.ts";
import { createBareStreams, startBare } from "./bare.ts";
import { createTable, truncate, upsert } from "./checkpoint.sql.ts";

export interface Shape {
  batchLeads: number;
  perEnvelope: number;
  concurrency: number;
}

export interface Comparison {
  bench: string;
  stages: readonly string[];
  /** Stages, by their place, after which the batch is written to PostgreSQL. */
  checkpoints: ReadonlySet<number>;
  /** By envelope size: shapes that are tried, the best of each kind counts. */
  shapes: readonly Shape[];
  leads: number;
  /** Least share of the bare client's rate. */
  goal: number;
}

/**
 * Stages that do nothing, made with the actor, and the same with nothing but the `nats` client, in the same run and by
 * turns: leads of 1 kB on the bulk lane, one Node process. The first mailbox is filled before the clock starts.
 */
export async function compare(
  { bench, stages, checkpoints, shapes, leads, goal }: Comparison,
  { short, log }: BenchOptions,
): Promise<Row[]> {
  await using nats = await ownNats();
  await using postgres = await ownPostgres({ durable: true });
  const knex = openDatabase({ databaseUrl: postgres.url, databasePool: 8, statementTimeoutMs: 60_000 });
  await createTable(knex);
  const count = short ? leads / 4 : leads;
  let serial = 0;
  const measure = async (kind: "mesh" | "bare", shape: Shape) => {
    await truncate(knex);
    const settings = loadSettings({
      LEADS_PREFIX: `b${serial++}`,
      LEADS_NATS_URL: nats.url,
      LEADS_DATABASE_URL: postgres.url,
      LEADS_LOG_LEVEL: "error",
      LEADS_MAILBOX_ENVELOPES: "1000000",
    });
    const run = kind === "mesh" ? meshChain : bareChain;
    const plan = { settings, shape, count, stages, checkpoints };
    const { tookMs } = await run(plan, (batch, step) => upsert(knex, batch, step));
    const rate = count / (tookMs / 1_000);
    const { batchLeads, perEnvelope, concurrency } = shape;
    log(
      `${kind}, batches of ${batchLeads}, ${concurrency} at once, ${perEnvelope} an envelope: ${Math.round(rate)} leads/s`,
    );
    return rate;
  };
  try {
    // The first run of a process is its slowest: it is not counted.
    await measure("mesh", shapes.at(-1)!);
    const rows: Row[] = [];
    for (const [perEnvelope, sized] of Map.groupBy(shapes, (shape) => shape.perEnvelope)) {
      const best = { mesh: 0, bare: 0 };
      for (const shape of sized) {
        const rates: Record<"mesh" | "bare", number[]> = { mesh: [], bare: [] };
        for (let turn = 0; turn < 3; turn++) {
          for (const kind of turn % 2 === 0 ? (["bare", "mesh"] as const) : (["mesh", "bare"] as const))
            rates[kind].push(await measure(kind, shape));
        }
        for (const kind of ["mesh", "bare"] as const) best[kind] = Math.max(best[kind], median(rates[kind]));
      }
      rows.push(
        figure(bench, `bare client, ${perEnvelope} a message`, "leads/s", best.bare),
        figure(bench, `mesh, ${perEnvelope} an envelope`, "leads/s", best.mesh),
        atLeast(bench, `mesh / bare, ${perEnvelope} an envelope`, "ratio", best.mesh / best.bare, goal),
      );
    }
    return rows;
  } finally {
    await knex.destroy();
  }
}

export interface Plan extends Pick<Comparison, "stages" | "checkpoints"> {
  settings: Settings;
  shape: Shape;
  count: number;
  /** That of the leads: `bulk` where it is absent. */
  lane?: Lane;
}

export type Checkpoint = (leads: Lead[], step: number) => Promise<void>;

/** From the start of pulling to the last lead's end. */
export interface Took {
  tookMs: number;
  /** Of this process alone, not of the servers. */
  cpuMs: number;
}

export async function meshChain(
  { settings, shape, count, stages, checkpoints, lane = "bulk" }: Plan,
  checkpoint: Checkpoint,
): Promise<Took> {
  const flow: StageConfig[] = stages.map((name) => ({
    name,
    batchLeads: shape.batchLeads,
    concurrency: shape.concurrency,
    maxEnvelopes: 1_000_000,
  }));
  const names = namesFor(settings.prefix);
  const nc = await connect({ servers: settings.natsUrl });
  const broker = new ServiceBroker(brokerOptions(settings, flow));
  const done = Promise.withResolvers<void>();
  let ended = 0;
  for (const [n, name] of stages.entries()) {
    const service = actor<Lead>({
      stage: name,
      handle: (batch) => batch.map(({ lead }) => forward(lead)),
      async checkpoint(_stage, verdicts) {
        if (checkpoints.has(n))
          await checkpoint(
            verdicts.map(({ lead }) => lead),
            n + 1,
          );
        if (n === stages.length - 1) {
          ended += verdicts.length;
          if (ended >= count) done.resolve();
        }
      },
    });
    broker.createService(defineService({ name, mixins: [service] }));
  }
  await ensureStreams(nc, names, settings, flow);
  await preload(nc, names.mailbox(stages[0]!).subject(lane), count, shape.perEnvelope, lane);
  const since = performance.now();
  await broker.start();
  const startedAt = performance.now();
  const cpuAt = process.cpuUsage();
  await done.promise;
  const tookMs = performance.now() - since;
  const cpuMs = cpuSince(cpuAt);
  // Moleculer's start waits half a second for other nodes; pulling begins after it.
  const bootMs = Math.min(startedAt - since, tookMs);
  await broker.stop();
  const jsm = await nc.jetstreamManager();
  for await (const stream of jsm.streams.names()) await jsm.streams.delete(stream);
  await nc.close();
  return { tookMs: tookMs - bootMs, cpuMs };
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function bareChain({ settings, shape, count, stages, checkpoints }: Plan, checkpoint: Checkpoint): Promise<Took> {
  const nc = await connect({ servers: settings.natsUrl });
  const streams = stages.map((name) => ({
    stream: `${settings.prefix}-${name}`,
    subject: `${settings.prefix}.${name}.bulk`,
    consumer: "bulk",
  }));
  await createBareStreams(nc, streams);
  await preload(nc, streams[0]!.subject, count, shape.perEnvelope);
  const done = Promise.withResolvers<void>();
  let ended = 0;
  const since = performance.now();
  const cpuAt = process.cpuUsage();
  const chain = startBare({
    nc,
    streams,
    ...shape,
    checkpoint: async (n, leads) => {
      if (checkpoints.has(n)) await checkpoint(leads, n + 1);
    },
    ended(leads) {
      ended += leads;
      if (ended >= count) done.resolve();
    },
  });
  await done.promise;
  const took = { tookMs: performance.now() - since, cpuMs: cpuSince(cpuAt) };
  chain.stop();
  for (const { stream } of streams) await nc.request(`$JS.API.STREAM.DELETE.${stream}`);
  await nc.close();
  return took;
}

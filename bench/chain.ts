import { ServiceBroker } from "moleculer";
import { connect } from "nats";
import { namesFor } from "../config/names.ts";
import type { StageConfig } from "../config/pipeline.ts";
import { loadSettings, type Settings } from "../config/settings.ts";
import { forward } from "../mixins/actor/outcome.ts";
import { actor } from "../mixins/actor.ts";
import { brokerOptions } from "../mixins/broker.ts";
import { ensureStreams } from "../mixins/jetstream.ts";
import { openDatabase } from "../mixins/knex.ts";
import { defineService } from "../mixins/schema.ts";
import type { Lead } from "../services/leads/lead.ts";
import { ownNats, ownPostgres } from "../test/support/servers.ts";
import { createBareStreams, startBare } from "./chain/bare.ts";
import { createTable, truncate, upsert } from "./chain/checkpoint.sql.ts";
import { preload } from "./load.ts";
import { atLeast, type Bench, figure, median } from "./row.ts";

/**
 * Five stages that do nothing, two checkpoints in PostgreSQL (after the second and the last), leads of 1 kB on the bulk
 * lane, one Node process: what the mesh itself costs. Beside it, in the same run and by turns, the same chain with
 * nothing but the `nats` client. The mailbox is filled before the clock starts.
 */
const stages = ["one", "two", "three", "four", "five"];
const checkpoints = new Set([1, 4]);

interface Shape {
  batchLeads: number;
  perEnvelope: number;
  concurrency: number;
}

/** Swept once on 2 cores; the best of each kind is kept. */
const sweep: Shape[] = [
  { batchLeads: 250, perEnvelope: 1, concurrency: 2 },
  { batchLeads: 500, perEnvelope: 1, concurrency: 2 },
  { batchLeads: 250, perEnvelope: 10, concurrency: 2 },
  { batchLeads: 250, perEnvelope: 50, concurrency: 1 },
  { batchLeads: 250, perEnvelope: 50, concurrency: 2 },
  { batchLeads: 500, perEnvelope: 50, concurrency: 2 },
];

export const run: Bench = async ({ short, log }) => {
  await using nats = await ownNats();
  await using postgres = await ownPostgres({ durable: true });
  const knex = openDatabase({ databaseUrl: postgres.url, databasePool: 8, statementTimeoutMs: 60_000 });
  await createTable(knex);
  try {
    const count = short ? 10_000 : 40_000;
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
      const rate =
        count /
        ((await (kind === "mesh" ? meshChain : bareChain)(settings, shape, count, (leads, step) =>
          upsert(knex, leads, step),
        )) /
          1_000);
      log(
        `${kind} batch ${shape.batchLeads}, ${shape.perEnvelope} an envelope, ${shape.concurrency} at once: ${Math.round(rate)} leads/s`,
      );
      return rate;
    };
    // The first run of a process is its slowest: it is not counted.
    await measure("mesh", sweep[4]!);
    const rows = [];
    for (const perEnvelope of short ? [50] : [1, 10, 50]) {
      const shapes = sweep.filter((shape) => shape.perEnvelope === perEnvelope);
      const rates: Record<"mesh" | "bare", Map<Shape, number[]>> = { mesh: new Map(), bare: new Map() };
      for (let repeat = 0; repeat < (short ? 2 : 3); repeat++) {
        for (const shape of shapes) {
          for (const kind of ["bare", "mesh"] as const) {
            const list = rates[kind].get(shape) ?? [];
            list.push(await measure(kind, shape));
            rates[kind].set(shape, list);
          }
        }
      }
      const best = (kind: "mesh" | "bare") => Math.max(...[...rates[kind].values()].map(median));
      rows.push(
        figure("chain", `bare client, ${perEnvelope} a message`, "leads/s", best("bare")),
        figure("chain", `mesh, ${perEnvelope} an envelope`, "leads/s", best("mesh")),
        atLeast("chain", `mesh / bare, ${perEnvelope} an envelope`, "ratio", best("mesh") / best("bare"), 0.8),
      );
    }
    return rows;
  } finally {
    await knex.destroy();
  }
};

type Checkpoint = (leads: Lead[], step: number) => Promise<void>;

/** Milliseconds from the start of pulling to the last lead's end. */
async function meshChain(settings: Settings, shape: Shape, count: number, checkpoint: Checkpoint): Promise<number> {
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
  await preload(nc, names.mailbox(stages[0]!).subject("bulk"), count, shape.perEnvelope);
  const since = performance.now();
  await broker.start();
  const startedAt = performance.now();
  await done.promise;
  const tookMs = performance.now() - since;
  // Moleculer's start waits half a second for other nodes; pulling begins after it.
  const bootMs = Math.min(startedAt - since, tookMs);
  await broker.stop();
  const jsm = await nc.jetstreamManager();
  for await (const stream of jsm.streams.names()) await jsm.streams.delete(stream);
  await nc.close();
  return tookMs - bootMs;
}

async function bareChain(settings: Settings, shape: Shape, count: number, checkpoint: Checkpoint): Promise<number> {
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
  const tookMs = performance.now() - since;
  chain.stop();
  for (const { stream } of streams) await nc.request(`$JS.API.STREAM.DELETE.${stream}`);
  await nc.close();
  return tookMs;
}

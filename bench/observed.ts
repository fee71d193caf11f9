import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { loadSettings } from "../config/settings.ts";
import { openDatabase } from "../mixins/knex.ts";
import { ownNats, ownPostgres } from "../test/support/servers.ts";
import { createTable, truncate, upsert } from "./chain/checkpoint.sql.ts";
import { meshChain } from "./chain/compare.ts";
import { atLeast, type Bench, figure, median } from "./row.ts";

const stages = ["one", "two", "three", "four", "five"];
const shapes = [
  // One import is one trace: it is exported, or it is not. Here it is.
  { lane: "bulk", perEnvelope: 50, leads: 60_000, share: "1" },
  { lane: "live", perEnvelope: 1, leads: 20_000, share: "0.01" },
] as const;

/** What is observed of a run. */
type Observed = "nothing" | "metrics" | "metrics and traces";
const kinds = ["nothing", "metrics", "metrics and traces"] as const;

/**
 * The chain with nothing observed, with metrics, and with traces too (a sampled import; live leads at the share that is
 * the default), to a collector on this machine, by turns.
 */
export const run: Bench = async ({ short, log }) => {
  await using nats = await ownNats();
  await using postgres = await ownPostgres({ durable: true });
  let spans = 0;
  const collector = createServer(async (req, res) => {
    spans += ((await json(req)) as unknown[]).length;
    res.writeHead(202).end();
  });
  collector.listen(0, "127.0.0.1");
  await once(collector, "listening");
  const zipkinUrl = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const knex = openDatabase({ databaseUrl: postgres.url, databasePool: 8, statementTimeoutMs: 60_000 });
  await createTable(knex);
  let serial = 0;
  const measure = async (observed: Observed, { lane, perEnvelope, leads, share }: (typeof shapes)[number]) => {
    await truncate(knex);
    const settings = loadSettings({
      LEADS_PREFIX: `o${serial++}`,
      LEADS_NATS_URL: nats.url,
      LEADS_DATABASE_URL: postgres.url,
      LEADS_LOG_LEVEL: "error",
      LEADS_MAILBOX_ENVELOPES: "1000000",
      LEADS_METRICS: observed === "nothing" ? "off" : "on",
      ...(observed === "metrics and traces" ? { LEADS_ZIPKIN_URL: zipkinUrl, LEADS_TRACE_SHARE: share } : {}),
    });
    const count = short ? leads / 4 : leads;
    const shape = { batchLeads: 250, perEnvelope, concurrency: 2 };
    const plan = { settings, shape, count, stages, checkpoints: new Set([1, 4]), lane };
    const before = spans;
    const { tookMs, cpuMs } = await meshChain(plan, (batch, step) => upsert(knex, batch, step));
    const [rate, cpuUs] = [count / (tookMs / 1_000), (cpuMs * 1_000) / count];
    log(`${lane}, ${observed}: ${Math.round(rate)} leads/s, ${Math.round(cpuUs)} us each, ${spans - before} spans`);
    return { rate, cpuUs };
  };
  try {
    await measure("nothing", shapes[0]);
    return await shapes.reduce(async (before, shape) => {
      const rows = await before;
      const runs: Record<Observed, { rate: number; cpuUs: number }[]> = {
        ...{ nothing: [], metrics: [] },
        "metrics and traces": [],
      };
      for (let turn = 0; turn < 5; turn++)
        for (const observed of turn % 2 === 0 ? kinds : kinds.toReversed())
          runs[observed].push(await measure(observed, shape));
      const of = (observed: Observed, what: "rate" | "cpuUs") => median(runs[observed].map((one) => one[what]));
      const share = (observed: Observed) => of("nothing", "cpuUs") / of(observed, "cpuUs");
      return [
        ...rows,
        ...kinds.map((observed) => figure("observed", `${shape.lane}, ${observed}`, "leads/s", of(observed, "rate"))),
        // Of processor time, which the machine's other work does not touch.
        ...kinds.map((observed) => figure("observed", `${shape.lane}, ${observed}`, "us/lead", of(observed, "cpuUs"))),
        atLeast("observed", `${shape.lane}, nothing / metrics`, "ratio", share("metrics"), 0.9),
        atLeast("observed", `${shape.lane}, nothing / metrics and traces`, "ratio", share("metrics and traces"), 0.9),
      ];
    }, Promise.resolve<ReturnType<typeof figure>[]>([]));
  } finally {
    await knex.destroy();
    collector.close();
    collector.closeAllConnections();
  }
};

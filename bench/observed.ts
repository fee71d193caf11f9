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
  { lane: "bulk", perEnvelope: 50, leads: 60_000 },
  { lane: "live", perEnvelope: 1, leads: 20_000 },
] as const;

/** What is observed of a run: nothing, metrics, or metrics and traces (at the share that is the default, to a collector here). */
type Observed = "nothing" | "metrics" | "metrics and traces";
const kinds = ["nothing", "metrics", "metrics and traces"] as const;

/** The chain with nothing observed, with metrics, and with metrics and traces, by turns. */
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
  const measure = async (observed: Observed, { lane, perEnvelope, leads }: (typeof shapes)[number]) => {
    await truncate(knex);
    const settings = loadSettings({
      LEADS_PREFIX: `o${serial++}`,
      LEADS_NATS_URL: nats.url,
      LEADS_DATABASE_URL: postgres.url,
      LEADS_LOG_LEVEL: "error",
      LEADS_MAILBOX_ENVELOPES: "1000000",
      LEADS_METRICS: observed === "nothing" ? "off" : "on",
      ...(observed === "metrics and traces" ? { LEADS_ZIPKIN_URL: zipkinUrl } : {}),
    });
    const count = short ? leads / 4 : leads;
    const shape = { batchLeads: 250, perEnvelope, concurrency: 2 };
    const plan = { settings, shape, count, stages, checkpoints: new Set([1, 4]), lane };
    const before = spans;
    const rate = count / ((await meshChain(plan, (batch, step) => upsert(knex, batch, step))) / 1_000);
    log(`${lane}, ${observed}: ${Math.round(rate)} leads/s, ${spans - before} spans`);
    return rate;
  };
  try {
    await measure("nothing", shapes[0]);
    return await shapes.reduce(async (before, shape) => {
      const rows = await before;
      const rates: Record<Observed, number[]> = { nothing: [], metrics: [], "metrics and traces": [] };
      for (let turn = 0; turn < 5; turn++)
        for (const observed of turn % 2 === 0 ? kinds : kinds.toReversed())
          rates[observed].push(await measure(observed, shape));
      const [nothing, metrics, both] = kinds.map((observed) => median(rates[observed])) as [number, number, number];
      return [
        ...rows,
        figure("observed", `${shape.lane}, nothing observed`, "leads/s", nothing),
        figure("observed", `${shape.lane}, metrics`, "leads/s", metrics),
        figure("observed", `${shape.lane}, metrics and traces`, "leads/s", both),
        atLeast("observed", `${shape.lane}, metrics / nothing`, "ratio", metrics / nothing, 0.9),
        atLeast("observed", `${shape.lane}, metrics and traces / nothing`, "ratio", both / nothing, 0.9),
      ];
    }, Promise.resolve<ReturnType<typeof figure>[]>([]));
  } finally {
    await knex.destroy();
    collector.close();
    collector.closeAllConnections();
  }
};

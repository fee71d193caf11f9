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

/** The chain with traces off and on (at the share that is the default, to a collector on this machine), by turns. */
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
  const measure = async (traces: "off" | "on", { lane, perEnvelope, leads }: (typeof shapes)[number]) => {
    await truncate(knex);
    const settings = loadSettings({
      LEADS_PREFIX: `o${serial++}`,
      LEADS_NATS_URL: nats.url,
      LEADS_DATABASE_URL: postgres.url,
      LEADS_LOG_LEVEL: "error",
      LEADS_MAILBOX_ENVELOPES: "1000000",
      ...(traces === "on" ? { LEADS_ZIPKIN_URL: zipkinUrl } : {}),
    });
    const count = short ? leads / 4 : leads;
    const shape = { batchLeads: 250, perEnvelope, concurrency: 2 };
    const plan = { settings, shape, count, stages, checkpoints: new Set([1, 4]), lane };
    const before = spans;
    const rate = count / ((await meshChain(plan, (batch, step) => upsert(knex, batch, step))) / 1_000);
    log(`${lane}, traces ${traces}: ${Math.round(rate)} leads/s, ${spans - before} spans`);
    return rate;
  };
  try {
    await measure("off", shapes[0]);
    return await shapes.reduce(async (before, shape) => {
      const rows = await before;
      const rates: Record<"off" | "on", number[]> = { off: [], on: [] };
      for (let turn = 0; turn < 5; turn++)
        for (const traces of turn % 2 === 0 ? (["off", "on"] as const) : (["on", "off"] as const))
          rates[traces].push(await measure(traces, shape));
      const [off, on] = [median(rates.off), median(rates.on)];
      return [
        ...rows,
        figure("observed", `${shape.lane}, traces off`, "leads/s", off),
        figure("observed", `${shape.lane}, traces on`, "leads/s", on),
        atLeast("observed", `${shape.lane}, traces on / off`, "ratio", on / off, 0.9),
      ];
    }, Promise.resolve<ReturnType<typeof figure>[]>([]));
  } finally {
    await knex.destroy();
    collector.close();
    collector.closeAllConnections();
  }
};

import { randomBytes, randomUUID } from "node:crypto";
import { globSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ServiceBroker } from "moleculer";
import { generateLeads } from "../bin/demo/leads.ts";
import { createDatabase } from "../bin/stack/postgres.ts";
import { loadSettings } from "../config/settings.ts";
import { acceptor } from "../mixins/accept.ts";
import { brokerOptions } from "../mixins/broker.ts";
import { openDatabase } from "../mixins/knex.ts";
import { resourcesOf } from "../mixins/resources.ts";
import { normalise } from "../services/intake/normalise.ts";
import type { RawLead } from "../services/intake/raw.ts";
import type { Lead } from "../services/leads/lead.ts";
import { migrate } from "../services/leads/migrations/migrate.ts";
import { ownNats, ownPostgres, ownRedis } from "../test/support/servers.ts";
import { countEnded } from "./pipeline/ended.sql.ts";
import { type Bench, figure } from "./row.ts";

/**
 * All real stages with fetching off, in one process, an import of generated leads on the bulk lane: from the first lead
 * accepted to the last one ended in the record. Load generator, servers and mesh share the machine.
 */
export const run: Bench = async ({ short, log }) => {
  await using nats = await ownNats();
  await using redis = await ownRedis();
  await using postgres = await ownPostgres({ durable: true });
  const databaseUrl = await createDatabase(postgres.url, "pipeline");
  const settings = loadSettings({
    LEADS_NATS_URL: nats.url,
    LEADS_DATABASE_URL: databaseUrl,
    LEADS_REDIS_URL: redis?.url ?? "",
    LEADS_LOG_LEVEL: "warn",
    LEADS_HTTP_PORT: "0",
  });
  const knex = openDatabase({ databaseUrl, databasePool: 2, statementTimeoutMs: 60_000 });
  const count = short ? 5_000 : 40_000;
  try {
    await migrate(knex);
    const broker = new ServiceBroker(brokerOptions(settings));
    const root = join(import.meta.dirname, "..");
    for (const file of globSync("services/**/*.service.ts", { cwd: root })) {
      broker.createService(
        ((await import(pathToFileURL(join(root, file)).href)) as { default: object }).default as never,
      );
    }
    await broker.start();
    try {
      const import_ = async (leads: readonly Lead[]) => {
        const edge = acceptor(resourcesOf(broker));
        const before = await countEnded(knex);
        const since = performance.now();
        const writer = edge.bulk<Lead>({
          tenant: "bench",
          requestId: randomBytes(16).toString("hex"),
          traceparent: "",
        });
        for (const lead of leads) await writer.write(lead);
        await writer.end();
        while ((await countEnded(knex)) - before < leads.length)
          await new Promise((resolve) => setTimeout(resolve, 400));
        edge.close();
        return leads.length / ((performance.now() - since) / 1_000);
      };
      await import_(freshLeads(2_000, "warm-up"));
      const leads = freshLeads(count, "bench");
      const rate = await import_(leads);
      log(`${count} leads at ${Math.round(rate)} leads/s`);
      return [figure("pipeline", "all stages, fetching off", "leads/s", rate)];
    } finally {
      await broker.stop();
    }
  } finally {
    await knex.destroy();
  }
};

/** Leads that are nobody's double. */
function freshLeads(count: number, seed: string): Lead[] {
  const leads: Lead[] = [];
  for (const raw of generateLeads({ count: count * 2, seed })) {
    const n = leads.length;
    if (n === count) break;
    const read = normalise(
      { ...(raw as RawLead), sourceId: `${seed}-${n}` },
      {
        tenant: "bench",
        source: "bench",
        trust: "imported",
        defaultRegion: "US",
        now: Date.now(),
        newId: randomUUID,
      },
    );
    if ("faults" in read) continue;
    read.lead.fields.name += ` ${seed} ${n}`;
    leads.push(read.lead);
  }
  return leads;
}

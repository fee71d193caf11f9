import { randomUUID } from "node:crypto";
import { globSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Knex } from "knex";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { generateLeads } from "../../bin/demo/leads.ts";
import { loadSettings } from "../../config/settings.ts";
import { type Acceptor, acceptor } from "../../mixins/accept.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { normalise } from "../../services/intake/normalise.ts";
import type { RawLead } from "../../services/intake/raw.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { startServers } from "../processes/servers.ts";
import { importLeads, untilEnded } from "./take.ts";

const root = join(import.meta.dirname, "..", "..");

/** All real services in this process, on durable servers of its own. */
export interface RealMesh extends AsyncDisposable {
  edge: Acceptor;
  knex: Knex;
  /** Puts leads of one tenant into the intake. */
  importLeads(leads: Iterable<Lead>): Promise<void>;
  /** Waits until so many leads of a tenant have ended. */
  ended(tenant: string, count: number): Promise<void>;
}

/** `env` are settings by their `LEADS_` names; fetching is off where they say nothing of it. */
export async function startRealMesh(env: Record<string, string> = {}): Promise<RealMesh> {
  const servers = new AsyncDisposableStack();
  const { knex, env: own } = await startServers(servers);
  const settings = loadSettings({
    ...own,
    LEADS_HTTP_PORT: "0",
    LEADS_METRICS_CLUSTER_PORT: "0",
    ...env,
  });
  const broker = new ServiceBroker(brokerOptions(settings));
  for (const file of globSync("services/**/*.service.ts", { cwd: root }))
    broker.createService(((await import(pathToFileURL(join(root, file)).href)) as { default: ServiceSchema }).default);
  await broker.start();
  servers.defer(() => broker.stop());
  const edge = acceptor(resourcesOf(broker));
  servers.defer(() => edge.close());
  return {
    edge,
    knex,
    importLeads: (leads) => importLeads(edge, leads),
    ended: (tenant, count) => untilEnded(knex, tenant, count),
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}

/** Leads that are nobody's double. */
export function* freshLeads(tenant: string, count: number, seed: string): Generator<Lead> {
  let n = 0;
  for (const raw of generateLeads({ count: count * 2, seed })) {
    if (n === count) return;
    const context = {
      tenant,
      source: seed,
      trust: "imported",
      defaultRegion: "US",
      now: Date.now(),
      newId: randomUUID,
    } as const;
    const read = normalise({ ...(raw as RawLead), source: seed, sourceId: String(n) }, context);
    if ("faults" in read) continue;
    read.lead.fields.name += ` ${seed} ${n}`;
    if (read.lead.fields.address?.street) read.lead.fields.address.street = `${n} ${seed} Street`;
    n++;
    yield read.lead;
  }
}

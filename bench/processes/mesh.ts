import type { Knex } from "knex";
import type { NatsConnection } from "nats";
import { openMesh } from "../../bin/import/open.ts";
import { apiUrl, type MeshProcess, nodesOf, waitForServices } from "../../bin/stack/mesh.ts";
import { freePort, until } from "../../bin/stack/process.ts";
import type { Names } from "../../config/names.ts";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { type Acceptor, acceptor } from "../../mixins/accept.ts";
import { createKey, scopes } from "../../mixins/keys.ts";
import { type Audit, audit } from "../../services/leads/audit.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { type NodeProcess, startNode } from "../../test/support/node-process.ts";
import type { OwnServer } from "../../test/support/servers.ts";
import { importLeads, untilEnded } from "../pipeline/take.ts";
import { startServers } from "./servers.ts";

/** All real services in processes of their own, run as `npm start` runs them, on durable servers of its own. */
export interface ProcessMesh extends AsyncDisposable {
  url: string;
  settings: Settings;
  names: Names;
  nats: NatsConnection;
  /** The bench's own connection to the record, not counted against the mesh. */
  knex: Knex;
  edge: Acceptor;
  /** Processes that run, the servers' too, by name; the pid is that of the first where they are several. */
  pids(): Map<string, number>;
  /** Starts one more process. It is in {@link pids} until it is stopped. */
  start(node: MeshProcess): NodeProcess;
  /** A key with every scope. */
  key(tenant: string): Promise<string>;
  importLeads(leads: Iterable<Lead>): Promise<void>;
  ended(tenant: string, count: number): Promise<void>;
  audit(tenant: string): Promise<Audit>;
}

interface ProcessMeshOptions {
  /** Settings by their `LEADS_` names. */
  env?: Record<string, string>;
  /** Absent: as `npm start` has them. */
  nodes?: MeshProcess[];
}

const upWithinMs = 180_000;

export async function startProcessMesh({
  env = {},
  nodes = nodesOf(false),
}: ProcessMeshOptions = {}): Promise<ProcessMesh> {
  await using starting = new AsyncDisposableStack();
  const { nats, redis, postgres, knex, env: own } = await startServers(starting);
  const settings = loadSettings({
    ...own,
    LEADS_HTTP_PORT: String(await freePort()),
    LEADS_METRICS_CLUSTER_PORT: "0",
    // One caller sends all of it.
    LEADS_RATE_LIMIT: "1000000",
    ...env,
  });
  const running = new Map<string, NodeProcess>();
  const start = ({ name, files, env }: MeshProcess) => {
    const node = startNode(settings, files, env);
    running.set(name, node);
    node.process.once("exit", () => running.delete(name));
    return node;
  };
  for (const node of nodes) starting.use(start(node));
  const url = apiUrl(settings);
  try {
    await waitForServices(settings, upWithinMs);
    await until("the API is ready", upWithinMs, () =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  } catch (error) {
    throw new Error([...running.values()].map((node) => node.output()).join("\n"), { cause: error });
  }
  const opened = await openMesh(settings, "bench");
  starting.defer(() => opened.close());
  const edge = acceptor(opened);
  starting.defer(() => edge.close());
  const nc = await opened.nats();
  const servers: [string, OwnServer | null][] = [
    ["nats", nats],
    ["postgres", postgres],
    ["redis", redis],
  ];
  const all = starting.move();
  return {
    ...{ url, settings, names: opened.names, nats: nc, knex, edge, start },
    pids: () =>
      new Map([
        ...[...running].map(([name, node]) => [name, node.process.pid!] as const),
        ...servers.flatMap(([name, server]) => (server?.pid ? [[name, server.pid] as const] : [])),
      ]),
    async key(tenant) {
      const { secret } = await createKey(nc, opened.names, { tenant, scopes });
      const known = () => fetch(`${url}/v1/leads`, { headers: { authorization: `Bearer ${secret}` } });
      await until("the gateway knows the key", 10_000, async () => (await known()).ok);
      return secret;
    },
    importLeads: (leads) => importLeads(edge, leads),
    ended: (tenant, count) => untilEnded(knex, tenant, count),
    audit: (tenant) => audit({ nats: nc, names: opened.names, settings, tenant }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

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

/**
 * All real services in processes of their own, run as `npm start` runs them, on durable servers of its own. Disposing of it
 * throws where a process ended that nobody told to, with what it wrote: nothing that was measured without it counts.
 */
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
  /** Ends its first processes by SIGTERM and starts them again, with these settings besides. */
  restart(env: Record<string, string>): Promise<void>;
  /** A key with every scope. */
  key(tenant: string): Promise<string>;
  importLeads(leads: Iterable<Lead>): Promise<void>;
  /** {@link untilEnded}. Throws, too, where a process ended that nobody told to. */
  ended(tenant: string, count: number, onLook?: (ended: number) => void): Promise<void>;
  /** `promised`: ids of leads that were answered 202. One that is nowhere is broken. */
  audit(tenant: string, promised?: readonly string[]): Promise<Audit>;
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
  /** Processes that ended and that nobody told to, in words. */
  const died: string[] = [];
  const start = ({ name, files, env }: MeshProcess): NodeProcess => {
    const node = startNode(settings, files, env);
    let told = false;
    running.set(name, node);
    node.process.once("exit", (code, signal) => {
      running.delete(name);
      if (!told) died.push(`the process ${name} ended by itself with ${signal ?? code}:\n${node.output()}`);
    });
    return {
      ...node,
      stop() {
        told = true;
        return node.stop();
      },
      [Symbol.asyncDispose]() {
        told = true;
        return node[Symbol.asyncDispose]();
      },
    };
  };
  const throwDied = () => {
    if (died.length > 0) throw new Error(died.splice(0).join("\n"));
  };
  const url = apiUrl(settings);
  const up = async () => {
    try {
      await waitForServices(settings, upWithinMs);
      await until("the API is ready", upWithinMs, () =>
        fetch(`${url}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
    } catch (error) {
      const outputs = [...running.values()].map((node) => node.output());
      throw new Error([...died.splice(0), ...outputs].join("\n"), { cause: error });
    }
  };
  let first = nodes.map((node) => starting.use(start(node)));
  await up();
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
    async restart(more) {
      await Promise.all(first.map((node) => node.stop()));
      first = nodes.map((node) => all.use(start({ ...node, env: { ...node.env, ...more } })));
      await up();
    },
    async key(tenant) {
      const { secret } = await createKey(nc, opened.names, { tenant, scopes });
      const known = () => fetch(`${url}/v1/leads`, { headers: { authorization: `Bearer ${secret}` } });
      await until("the gateway knows the key", 10_000, async () => (await known()).ok);
      return secret;
    },
    importLeads: (leads) => importLeads(edge, leads),
    ended: (tenant, count, onLook) =>
      untilEnded(knex, tenant, count, (ended) => {
        throwDied();
        onLook?.(ended);
      }),
    audit: (tenant, promised = []) =>
      audit({
        nats: nc,
        names: opened.names,
        settings,
        tenant,
        accepted: promised.map((leadId) => ({ leadId, tenant })),
      }),
    async [Symbol.asyncDispose]() {
      await all.disposeAsync();
      throwDied();
    },
  };
}

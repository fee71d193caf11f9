import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { Context, ServiceBroker, ServiceSchema } from "moleculer";
import { type ClusterName, clusterName, type Labels, metrics } from "../metrics.ts";
import { resourcesOf } from "../resources.ts";
import { defineMixin, type Mixin } from "../schema.ts";
import { type Growth, Growths, type Told } from "./bridge.ts";
import { snapshotEvent } from "./process.ts";

/** It has no types. */
const prometheus = createRequire(import.meta.url)("moleculer-prometheus") as Partial<ServiceSchema>;

/** What moleculer-prometheus puts on `this`. */
interface Prometheus {
  /** polka */
  server: {
    server: Server;
    handler: (req: IncomingMessage, res: ServerResponse) => void;
    use(ware: (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void): void;
    get(path: string, handler: (req: IncomingMessage, res: ServerResponse) => void): void;
    listen(port: number): Promise<unknown>;
  };
  /** prom-client's */
  register: { metrics(options?: object): string };
  metrics: Record<string, { hashMap: object }>;
  update(name: string, method: "inc" | "set", labels: Labels | null, value: number): void;
}

type Node = ReturnType<ServiceBroker["registry"]["nodes"]["toArray"]>[number];

export interface Cluster extends Prometheus {
  $growths: Growths;
  /** When each node was first heard of, as Moleculer counts heartbeats: seconds since this process began. */
  $joined: WeakMap<Node, number>;
  /** Nodes that fell silent without leaving. */
  $silent: Set<string>;
  /** Where it listens, once it does. */
  url: string;
  /** Sets a gauge of the cluster. */
  show(name: ClusterName, labels: Labels, value: number): void;
  /** Forgets what was shown of all gauges of the cluster. */
  hide(): void;
}

/** Moleculer's own counters, by the names that moleculer-prometheus has for them. */
const renamed: Record<string, string> = {
  "moleculer.request.total": "moleculer_req_total",
  "moleculer.request.error.total": "moleculer_req_errors_total",
};

/**
 * Makes a service show the cluster through `moleculer-prometheus` 0.2.5, and mends what in it no longer fits:
 * - It counts by the events `metrics.trace.span.finish` and `metrics.update`, which nobody emits since Moleculer 0.14
 *   and whose handlers would get a Context for the payload. What nodes tell by today's `$metrics.snapshot` is taken to it
 *   instead, as differences (mixins/metrics/bridge.ts), never from spans, which are sampled.
 * - A histogram of its prom-client can only observe: ours are shown as the counters that they consist of.
 * - It listens on all interfaces, and a port that is taken ends the process by an event nobody hears.
 * - It writes the time of the last change beside each sample, so that what stands still would go stale.
 * - Its series bear node ids, which are new at each start and are never forgotten.
 * It can go when moleculer-prometheus takes metrics snapshots by itself; `services/metrics` would keep its gauges.
 *
 * @param refresh called before the metrics are told, to {@link Cluster.show} how things are
 */
export function clusterMetrics(refresh: (this: any) => Promise<void>): Mixin<Cluster> {
  const mixin = defineMixin<Cluster & { refresh(): Promise<void> }>()({
    settings: {
      collectDefaultMetrics: false,
      metrics: {
        moleculer_nodes: null,
        moleculer_req_total: { labelNames: ["action", "service"] },
        moleculer_req_errors_total: { labelNames: ["action", "service", "errorCode", "errorName", "errorType"] },
        moleculer_req_duration_ms: null,
        ...definitions(),
      },
    },
    methods: {
      refresh,
      show(name: ClusterName, labels: Labels, value: number) {
        this.update(name, "set", labels, value);
      },
      hide() {
        // Its own reset would leave a gauge without labels at 0, and a store without a limit would seem full.
        for (const { name, by } of metrics) if (by === "cluster" && this.metrics[name]) this.metrics[name].hashMap = {};
      },
      $grow({ name, labels, by }: Growth) {
        const as = name.startsWith("leads_") ? clusterName(name) : renamed[name];
        if (as === undefined) return;
        const { caller: _, type: __, ...kept } = labels;
        this.update(as, "inc", name.startsWith("leads_") ? labels : kept, by);
      },
      /**
       * All processes, as Prometheus' HTTP service discovery wants them. Also those that died or hang, until another came
       * in their place, for as long as the registry remembers them (ten minutes): one that is listed no more cannot be seen
       * to be down.
       */
      $targets(): { targets: string[]; labels: Labels }[] {
        const nodes = this.broker.registry.nodes.toArray();
        const living = nodes.filter(({ available }) => available);
        const isReplaced = (lost: Node) => living.some((node) => this.$succeeds(node, lost));
        const silent = nodes.filter((node) => !node.available && this.$silent.has(node.id) && !isReplaced(node));
        this.$silent = new Set(silent.map(({ id }) => id));
        const found = new Map<string, Labels>();
        // The living last: one that came to a dead one's address takes its place.
        for (const node of [...silent, ...living]) {
          const at = node.metadata?.["metrics"] as { host: string; port: number } | undefined;
          const own = servicesOf(node);
          // A prompt that was closed without a word is missed by nobody: it served nothing.
          if (!at || (!node.available && own.length === 0)) continue;
          const host = at.host.includes(":") ? `[${at.host}]` : at.host;
          // What a process is, where it is one thing: an id would be new at each start.
          found.set(`${host}:${at.port}`, { service: own.length === 1 ? own[0]! : "mesh" });
        }
        return Array.from(found, ([target, labels]) => ({ targets: [target], labels }));
      },
      /** What starts a process anew may be quicker than its missing heartbeats are noticed: what counts is the last one. */
      $succeeds(node: Node, lost: Node): boolean {
        return (
          node.hostname === lost.hostname &&
          (this.$joined.get(node) ?? 0) > lost.lastHeartbeatTime &&
          String(servicesOf(node)) === String(servicesOf(lost))
        );
      },
    },
    events: {
      [snapshotEvent](ctx: Context<Told[]>) {
        if (!this.metrics) return;
        for (const growth of this.$growths.take(ctx.nodeID ?? this.broker.nodeID, ctx.params, Date.now()))
          this.$grow(growth);
      },
      "$node.connected"(ctx: Context<{ node: Node; reconnected: boolean }>) {
        const { node, reconnected } = ctx.params;
        if (!reconnected) this.$joined.set(node, process.uptime());
      },
      "$node.disconnected"(ctx: Context<{ node: Node; unexpected: boolean }>) {
        const { node, unexpected } = ctx.params;
        if (unexpected) this.$silent.add(node.id);
        else this.$silent.delete(node.id);
      },
    },
    created() {
      const { settings } = resourcesOf(this.broker);
      this.$growths = new Growths(Date.now() / 1_000);
      this.$joined = new WeakMap();
      this.$silent = new Set();
      const { server } = this;
      server.use((req, _res, next) => {
        if (req.url === "/targets") return next();
        this.refresh().then(
          () => next(),
          (error) => next(error),
        );
      });
      server.get("/targets", (_req, res) => {
        res.setHeader("Content-Type", "application/json");
        res.end(JSON.stringify(this.$targets()));
      });
      server.listen = () =>
        new Promise((resolve, reject) => {
          server.server = createServer(server.handler);
          server.server.once("error", reject);
          server.server.listen(settings.metricsClusterPort, settings.metricsHost, () => resolve(undefined));
        });
    },
    started() {
      const { address, port } = this.server.server.address() as AddressInfo;
      this.url = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
      const { register } = this;
      const write = register.metrics.bind(register);
      register.metrics = () => write({ timestamps: false });
    },
  });
  return { ...mixin, mixins: [prometheus as ServiceSchema] };
}

/** The names of a node's own services, in order. */
function servicesOf({ services = [] }: Node): string[] {
  const names = services.map(({ name }) => name as string);
  return names.filter((name) => !name.startsWith("$")).sort();
}

/** The table's rows as moleculer-prometheus defines metrics. */
function definitions(): Record<string, { type: string; labelNames: string[]; help: string }> {
  const found: Record<string, { type: string; labelNames: string[]; help: string }> = {};
  const define = (name: string, type: string, labels: readonly string[], help: string) => {
    found[name] = { type, labelNames: [...labels], help };
  };
  for (const { name, type, by, labels, text } of metrics) {
    const as = clusterName(name);
    if (by === "cluster") define(name, "Gauge", labels, text);
    else if (type === "counter") define(as, "Counter", labels, `All nodes: ${text}`);
    else if (type === "histogram") {
      define(`${as}_bucket`, "Counter", [...labels, "le"], `All nodes, observations up to le: ${text}`);
      define(`${as}_sum`, "Counter", labels, `All nodes, the sum: ${text}`);
      define(`${as}_count`, "Counter", labels, `All nodes, observations: ${text}`);
    }
  }
  return found;
}

import type { AddressInfo } from "node:net";
import { totalmem } from "node:os";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { type BrokerOptions, MetricReporters, type Middleware, type ServiceBroker } from "moleculer";
import type { Settings } from "../../config/settings.ts";
import { RecentRate } from "../actor/recent.ts";
import { type Meter, meterOf, metrics } from "../metrics.ts";

/** Event by which each process tells the cluster of its metrics: cumulative values, all of them, every time. */
export const snapshotEvent = "$metrics.snapshot";

/** Called before metrics are read, to bring gauges up to date. */
type Refresh = (meter: Meter) => void;
const refreshes = new WeakMap<ServiceBroker, Refresh[]>();

/** Has `refresh` called whenever this process's metrics are read: costs nothing in between. */
export function onRead(broker: ServiceBroker, refresh: Refresh): void {
  refreshes.get(broker)?.push(refresh);
}

function refreshAll(broker: ServiceBroker): void {
  const meter = meterOf(broker);
  for (const refresh of refreshes.get(broker) ?? []) refresh(meter);
}

/**
 * Moleculer's Prometheus reporter, with two faults mended: told to take a free port (0) it forgets its address and
 * listens on every interface, and it leaves out the sum and the count of a histogram that has no quantiles.
 */
class ProcessReporter extends MetricReporters.Prometheus {
  readonly #host: string;

  constructor(options: { host: string; port: number; includes: string[] }) {
    super({ ...options, defaultLabels: () => ({}) });
    this.#host = options.host;
    this.opts.host = options.host;
  }

  override init(registry: Parameters<MetricReporters.Prometheus["init"]>[0]): void {
    super.init(registry);
    this.server.on("error", (error: Error) =>
      registry.broker.fatal(`metrics cannot be served at ${this.#host}:${this.opts.port}: ${error.message}`, error),
    );
    // A scrape that hangs keeps no process from ending.
    this.server.unref();
  }

  override generatePrometheusResponse(): string {
    const { broker } = (this as unknown as { registry: { broker: ServiceBroker } }).registry;
    refreshAll(broker);
    // A family ends with an empty line.
    const families = super.generatePrometheusResponse().split("\n\n");
    return families.map((family) => family + this.#totals(broker, family)).join("\n\n");
  }

  /** The lines that a histogram's family lacks. */
  #totals(broker: ServiceBroker, family: string): string {
    const name = /^# TYPE (\w+) histogram$/m.exec(family)?.[1];
    if (name === undefined) return "";
    const metric = broker.metrics.getMetric(name) ?? broker.metrics.getMetric(name.replaceAll("_", "."));
    const items = (metric?.snapshot() ?? []) as unknown as { labels: object; sum: number; count: number }[];
    return items
      .map(({ labels, sum, count }) => {
        const text = this.labelsToStr(labels, {});
        return `\n${name}_sum${text} ${sum}\n${name}_count${text} ${count}`;
      })
      .join("");
  }

  override async stop(): Promise<void> {
    this.server.closeAllConnections();
    await super.stop();
  }
}

/** Moleculer's Event reporter, which tells all nodes, and at the stop once more what it has not told yet. */
class SnapshotReporter extends MetricReporters.Event {
  override sendEvent(): void {
    refreshAll((this as unknown as { broker: ServiceBroker }).broker);
    super.sendEvent();
  }
}

/** The process's own metrics, and those of Moleculer that say something of ours. */
const served = ["leads_*", "moleculer.request.total", "moleculer.request.error.total", "moleculer.request.time"];

interface Reporters {
  prometheus: ProcessReporter;
  snapshots: SnapshotReporter;
}

/** The broker options that make a process count, serve and tell its metrics: `metrics` and a middleware. */
export function processMetrics(settings: Settings): { metrics: BrokerOptions["metrics"]; middlewares: Middleware[] } {
  if (settings.metrics === "off") return { metrics: false, middlewares: [] };
  const reporters: Reporters = {
    prometheus: new ProcessReporter({ host: settings.metricsHost, port: settings.metricsPort, includes: served }),
    snapshots: new SnapshotReporter({
      eventName: snapshotEvent,
      broadcast: true,
      interval: settings.metricsEveryMs / 1_000,
      includes: served,
    }),
  };
  return {
    metrics: {
      enabled: true,
      // Its own would tell of arguments, users and addresses, and sample the CPU by a timer.
      collectProcessMetrics: false,
      reporter: [reporters.prometheus, reporters.snapshots] as never,
    },
    middlewares: [middleware(settings, reporters)],
  };
}

/** A middleware's `created` runs before Moleculer's own, `starting` after it. */
function middleware(settings: Settings, { prometheus, snapshots }: Reporters): Middleware {
  return {
    name: "metrics",
    created(broker: ServiceBroker) {
      for (const { name, type, labels, text, buckets, by } of metrics) {
        if (by !== "process") continue;
        broker.metrics.register({
          ...{ name, type, labelNames: [...labels], description: text },
          ...(buckets ? { buckets: [...buckets] } : {}),
        } as Parameters<typeof broker.metrics.register>[0]);
      }
      refreshes.set(broker, [watchProcess()]);
    },
    async starting(broker: ServiceBroker) {
      // Its own keeps every duration of the last minute for its quantiles, and a series for each caller.
      broker.metrics.register({
        type: "histogram",
        name: "moleculer.request.time",
        labelNames: ["service", "action"],
        description: "Request times in milliseconds",
        buckets: [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000],
      });
      watchBreakers(broker);
      const { server } = prometheus;
      if (!server.listening) await new Promise<void>((resolve) => server.once("listening", resolve));
      // Where Prometheus finds this process: the service `metrics` lists all nodes' addresses.
      const { port } = server.address() as AddressInfo;
      broker.metadata["metrics"] = { host: hostToTell(settings.metricsHost, broker), port };
    },
    async stopping() {
      snapshots.sendEvent();
    },
  } as Middleware;
}

/** A process that listens on all interfaces is reached by its machine's name. */
function hostToTell(host: string, broker: ServiceBroker): string {
  return /^(0\.0\.0\.0|::)$/.test(host) ? (broker.registry.nodes.localNode as { hostname: string }).hostname : host;
}

/** Zero where nothing limits it (https://nodejs.org/api/process.html#processconstrainedmemory). */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

/** A window of the event loop: what is read is of the last one or two of them, however many read. */
const windowMs = 10_000;

function watchProcess(): Refresh {
  const beganAt = Date.now() / 1_000;
  const loop = watchLoop();
  let cpuSeconds = 0;
  // Told by the process itself: who begins to listen now says the same as who has listened for long.
  const cores = new RecentRate();
  return (meter) => {
    loop(meter);
    const { user, system } = process.cpuUsage();
    meter.add("leads_process_cpu_seconds_total", {}, (user + system) / 1e6 - cpuSeconds);
    cpuSeconds = (user + system) / 1e6;
    meter.set("leads_process_cpu_cores", {}, cores.at(performance.now(), cpuSeconds));
    meter.set("leads_process_memory_bytes", {}, process.memoryUsage.rss());
    meter.set("leads_process_memory_limit_bytes", {}, memoryLimit());
    meter.set("leads_process_start_time_seconds", {}, beganAt);
  };
}

function watchLoop(): Refresh {
  const delay = monitorEventLoopDelay({ resolution: periodMs });
  delay.enable();
  const quantiles = { "0.5": 50, "0.99": 99, "1": 100 };
  let before = Object.fromEntries(Object.keys(quantiles).map((quantile) => [quantile, 0]));
  let since = performance.now();
  let [earlier, start] = [performance.eventLoopUtilization(), performance.eventLoopUtilization()];
  return (meter) => {
    // The timer's own period is in every sample.
    const now = Object.fromEntries(
      Object.entries(quantiles).map(([quantile, percent]) => [
        quantile,
        delay.count === 0 ? 0 : Math.max(0, delay.percentile(percent) / 1e9 - periodMs / 1_000),
      ]),
    );
    for (const quantile of Object.keys(quantiles))
      meter.set("leads_event_loop_delay_seconds", { quantile }, Math.max(before[quantile]!, now[quantile]!));
    const { utilization } = performance.eventLoopUtilization(performance.eventLoopUtilization(), earlier);
    meter.set("leads_event_loop_utilization_ratio", {}, utilization);
    if (performance.now() - since < windowMs) return;
    before = now;
    since = performance.now();
    [earlier, start] = [start, performance.eventLoopUtilization()];
    delay.reset();
  };
}
/** How often the event loop's delay is sampled, ms. */
const periodMs = 20;

/** Longest window of a breaker (the services' `circuitBreaker`), ms. */
const breakerWindowMs = 60_000;

/**
 * Counts the breakers that are open here: Moleculer tells of each endpoint by events of this process. One that is asked for
 * no more is thrown away by it without a word, after two windows without a call: so long nothing is heard of it.
 */
function watchBreakers(broker: ServiceBroker): void {
  /** Service -> endpoint -> when it was last heard to be open, ms since 1970. */
  const open = new Map<string, Map<string, number>>();
  const serviceOf = (action: string) => action.slice(0, action.lastIndexOf("."));
  const change =
    (state: "opened" | "half-opened" | "closed") =>
    ({ nodeID, action }: { nodeID: string; action: string }) => {
      const service = serviceOf(action);
      const endpoints = open.get(service) ?? new Map<string, number>();
      open.set(service, endpoints);
      const endpoint = `${nodeID} ${action}`;
      if (state === "closed") endpoints.delete(endpoint);
      else if (state === "opened" || endpoints.has(endpoint)) endpoints.set(endpoint, Date.now());
    };
  for (const state of ["opened", "half-opened", "closed"] as const)
    broker.localBus.on(`$circuit-breaker.${state}`, change(state));
  broker.localBus.on("$node.disconnected", ({ node }: { node: { id: string } }) => {
    for (const endpoints of open.values())
      for (const endpoint of endpoints.keys()) if (endpoint.startsWith(`${node.id} `)) endpoints.delete(endpoint);
  });
  onRead(broker, (meter) => {
    const heardSince = Date.now() - 2 * breakerWindowMs;
    for (const [service, endpoints] of open) {
      for (const [endpoint, heardAt] of endpoints) if (heardAt < heardSince) endpoints.delete(endpoint);
      meter.set("leads_breakers_open", { service }, endpoints.size);
    }
  });
}

import type { ServiceBroker } from "moleculer";
import { observeAgain, type Series } from "./metrics/series.ts";

/**
 * Every `leads_*` metric: one table, from which docs/metrics.md is generated (`node bin/docs.ts`) and which a test holds
 * against what is served. Base units stand in the names; labels are from closed sets, never an id, never a tenant.
 *
 * Served by a process (its own `/metrics`), or by the service `metrics` (the cluster's). Every counter and histogram of
 * a process is also served by `metrics`, summed over all nodes, as `leads_cluster_…` (mixins/metrics/bridge.ts).
 */

export interface Metric {
  type: "counter" | "gauge" | "histogram";
  by: "process" | "cluster";
  labels: readonly string[];
  unit: string;
  text: string;
  /** Upper bounds of a histogram. */
  buckets?: readonly number[];
}

/** From a quick statement to the longest that a stage may take: seconds. */
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
/** What leads wait and providers take: seconds. */
const longSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200] as const;
const sizes = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000] as const;

const lane = ["stage", "lane"] as const;
const stage = ["stage"] as const;

const counter = (labels: readonly string[], unit: string, text: string) =>
  ({ type: "counter", by: "process", labels, unit, text }) as const;
const histogram = (labels: readonly string[], unit: string, buckets: readonly number[], text: string) =>
  ({ type: "histogram", by: "process", labels, unit, buckets, text }) as const;
const gauge = (labels: readonly string[], unit: string, text: string) =>
  ({ type: "gauge", by: "process", labels, unit, text }) as const;
const cluster = (labels: readonly string[], unit: string, text: string) =>
  ({ type: "gauge", by: "cluster", labels, unit, text }) as const;

export const metricTable = {
  // What a stage does.
  leads_arrivals_total: counter(
    lane,
    "leads",
    "Leads that came into the stage's hands: returns from the park included, redeliveries not.",
  ),
  leads_envelopes_total: counter(lane, "envelopes", "Envelopes that came into the stage's hands for the first time."),
  leads_redeliveries_total: counter(
    lane,
    "envelopes",
    "Envelopes that JetStream had delivered before: a worker died, or was too slow.",
  ),
  leads_outcomes_total: counter(
    [...lane, "outcome"],
    "leads",
    "What the stage said of its leads: forward, complete, merge, reject, retry (it failed and will be tried again), wait (parked for a moment), dead, and foreign (a message that was no envelope).",
  ),
  leads_batch_size_leads: histogram(lane, "leads", sizes, "Leads of a batch."),
  leads_batch_duration_seconds: histogram(lane, "seconds", seconds, "A batch from its start to its acknowledgement."),
  leads_wait_seconds: histogram(
    lane,
    "seconds",
    longSeconds,
    "How long the oldest envelope of a batch stood in the mailbox.",
  ),
  leads_waited_seconds_total: counter(
    lane,
    "seconds",
    "Time that all leads together stood in the mailbox; over the arrivals: the mean.",
  ),
  leads_step_seconds_total: counter(
    [...lane, "step"],
    "seconds",
    "Time of batches in each step: decode, handle, checkpoint, publish.",
  ),
  leads_end_to_end_seconds: histogram(
    ["lane"],
    "seconds",
    longSeconds,
    "From the first mailbox to the end of a lead's way, one observation a lead.",
  ),
  leads_in_hand_leads: gauge(stage, "leads", "Leads that this instance has in hand."),
  leads_busy_seconds_total: counter(
    stage,
    "seconds",
    "Time that this instance was busy: batches in work, weighed by its share of places or of the event loop, whichever was used more.",
  ),
  leads_busy_leads_per_second: gauge(
    stage,
    "leads/s",
    "Leads that this instance completes in a second when it is busy: a moving average over its last minute of being so.",
  ),
  leads_completed_leads_per_second: gauge(
    stage,
    "leads/s",
    "Leads that left this instance's hands, retries and parked ones included: the rate of the last half minute.",
  ),
  leads_outage: gauge([...stage, "dependency"], "0 or 1", "1 while this instance waits for a dependency that is down."),
  leads_outages_total: counter([...stage, "dependency"], "outages", "Outages that this instance met."),

  // The edge.
  leads_http_requests_total: counter(
    ["operation", "code"],
    "requests",
    "Requests by operation (docs/api.md; `none` where no operation matches) and class of their answer: 2xx, 3xx, 4xx, 5xx; gone: the caller left before it.",
  ),
  leads_http_duration_seconds: histogram(
    ["operation"],
    "seconds",
    seconds,
    "Requests from their first byte to their answer. An upload takes as long as its sender.",
  ),
  leads_accepted_total: counter(["lane"], "leads", "Leads that were taken in: JetStream has them."),

  // Providers and money.
  leads_provider_calls_total: counter(
    ["provider", "result"],
    "calls",
    "Calls of a provider: good, later (it asked for patience), never (it refuses), down, unsent (never reached it), unanswered, broken (a good answer of unknown form, counted besides).",
  ),
  leads_provider_duration_seconds: histogram(
    ["provider"],
    "seconds",
    longSeconds,
    "Calls of a provider, until the whole answer was there.",
  ),
  leads_provider_cost_dollars_total: counter(["provider"], "USD", "What calls did cost, as it was booked."),
  leads_breakers_open: gauge(
    ["service"],
    "breakers",
    "Circuit breakers that this process holds open, by the service that is behind them.",
  ),

  // Mail.
  leads_mail_total: counter(
    ["result"],
    "e-mails",
    "E-mails handed over: sent, refused, unreached, unknown, unpaid (the tenant's money is spent).",
  ),
  leads_mail_events_total: counter(
    ["kind"],
    "events",
    "What came back of e-mails: accepted, delivered, opened (the first time), soft_bounce, hard_bounce, complaint, unsubscribed, dropped.",
  ),

  // What a process stands on.
  leads_cache_requests_total: counter(
    ["kind", "result"],
    "look-ups",
    "Look-ups in the shared cache by kind (the service whose answers are kept): hit, miss, fault (no answer in time: a miss too).",
  ),
  leads_pool_connections: gauge(["database", "state"], "connections", "Connections of the database pool: used, free."),
  leads_pool_waiting: gauge(["database"], "acquirers", "Who waits for a connection of the pool."),
  leads_pool_limit_connections: gauge(["database"], "connections", "Connections that the pool opens at the most."),
  leads_event_loop_delay_seconds: gauge(
    ["quantile"],
    "seconds",
    "How late the event loop was in the last 10 to 20 s, at the quantiles 0.5, 0.99 and 1.",
  ),
  leads_event_loop_utilization_ratio: gauge(
    [],
    "0 to 1",
    "Share of the last 10 to 20 s in which the event loop was at work.",
  ),
  leads_process_cpu_seconds_total: counter([], "seconds", "CPU time of the process."),
  leads_process_cpu_cores: gauge([], "cores", "Cores that the process used, over the last half minute."),
  leads_process_memory_bytes: gauge([], "bytes", "Resident memory of the process."),
  leads_process_memory_limit_bytes: gauge(
    [],
    "bytes",
    "What the process may take: of its container where that has a limit, else of the machine.",
  ),
  leads_process_start_time_seconds: gauge([], "seconds since 1970", "When the node began, by its own clock."),

  // The cluster, as JetStream and the record have it.
  leads_backlog_leads: cluster(
    [...lane, "state"],
    "leads",
    "Leads before the stage: pending (ready), unacknowledged (out), parked (waiting for a moment). About: envelopes, times the leads that the lane's envelopes hold. The stage `intake` is what admission has not let in.",
  ),
  leads_backlog_envelopes: cluster([...lane, "state"], "envelopes", "The same in envelopes."),
  leads_oldest_age_seconds: cluster(
    lane,
    "seconds",
    "Age of the oldest message in the lane that is not acknowledged; 0 where there is none.",
  ),
  leads_arrival_leads_per_second: cluster(
    stage,
    "leads/s",
    "Leads that come to the stage, intake included: what arrives by the scaling law.",
  ),
  leads_completion_leads_per_second: cluster(
    stage,
    "leads/s",
    "Leads that leave the stage, over the last half minute.",
  ),
  leads_instance_leads_per_second: cluster(
    stage,
    "leads/s",
    "mu of the scaling law: what one busy instance completes, the mean over the instances; LEADS_INSTANCE_RATE until one ever was busy.",
  ),
  leads_drain_goal_seconds: cluster(["lane"], "seconds", "T_drain of the scaling law."),
  leads_drain_seconds: cluster(
    stage,
    "seconds",
    "Backlog over the completion rate: when the stage will be through. A year stands for never: there is a backlog and nothing leaves.",
  ),
  leads_instances: cluster(stage, "instances", "Instances of the stage in the registry."),
  leads_instances_limit: cluster(["bound"], "instances", "The least and the most instances of a stage: min, max."),
  leads_desired_instances: cluster(
    stage,
    "instances",
    "Instances by the scaling law, within the limits. Paused or in an outage: never more than there are.",
  ),
  leads_desired_instances_by: cluster(
    [...stage, "by"],
    "instances",
    "What one sign alone would ask for: cpu, memory, batch_p95. Not rounded up, to compare with; nothing follows it.",
  ),
  leads_paused: cluster(stage, "0 or 1", "1 while an operator has paused the stage."),
  leads_dead_letters: cluster(stage, "messages", "Messages in the dead letters, by the stage that gave them up."),
  leads_stream_messages: cluster(["stream"], "messages", "Messages in a stream of the mesh."),
  leads_stream_bytes: cluster(["stream"], "bytes", "Size of a stream of the mesh."),
  leads_stream_limit_bytes: cluster(["stream"], "bytes", "What the stream may grow to, where it has a limit."),
  leads_jetstream_store_bytes: cluster([], "bytes", "What JetStream holds on disk for the account."),
  leads_jetstream_store_limit_bytes: cluster(
    [],
    "bytes",
    "What JetStream may hold on disk for the account, where there is a limit.",
  ),
  leads_budget_tenants: cluster(
    ["window", "level"],
    "tenants",
    "Tenants that have used so much of their budget (75, 90, 100 %), by window (day, month).",
  ),
  leads_mail_overdue_seconds: cluster(
    [],
    "seconds",
    "How long the e-mail that has been due for the longest has waited for a sender; 0 where none waits. Of tenants that may send, and since they may: not while one is stopped or has used up its day. Not served where nothing is sent at all.",
  ),
  leads_source_up: cluster(
    ["source"],
    "0 or 1",
    "1 while the figures of the cluster can be read: nats, postgres. At 0 what is read there is not served.",
  ),
} as const satisfies Record<`leads_${string}`, Metric>;

export type MetricName = keyof typeof metricTable;
type NamesOf<T extends Metric["type"], B extends Metric["by"]> = {
  [N in MetricName]: (typeof metricTable)[N] extends { type: T; by: B } ? N : never;
}[MetricName];
export type CounterName = NamesOf<"counter", "process">;
export type GaugeName = NamesOf<"gauge", "process">;
export type HistogramName = NamesOf<"histogram", "process">;
export type ClusterName = NamesOf<"gauge", "cluster">;
export type Labels = Readonly<Record<string, string>>;

/** The table in a form that can be walked. */
export const metrics: readonly (Metric & { name: MetricName })[] = (
  Object.entries(metricTable) as [MetricName, Metric][]
).map(([name, metric]) => ({ name, ...metric }));

/** Name of a counter or histogram of processes, summed over the cluster. */
export const clusterName = (name: string) => name.replace(/^leads_/, "leads_cluster_");

/** Counts into the process's metrics. Where they are off, every call is a look at a flag. */
export interface Meter {
  readonly isOn: boolean;
  add(name: CounterName, labels: Labels, value?: number): void;
  set(name: GaugeName, labels: Labels, value: number): void;
  /** `times`: how often the value was met. */
  observe(name: HistogramName, labels: Labels, value: number, times?: number): void;
  /** Forgets all values of a gauge. */
  clear(name: GaugeName): void;
}

/** The meter of this broker's process. */
export function meterOf(broker: ServiceBroker): Meter {
  const { metrics: registry } = broker;
  const isOn = broker.isMetricsEnabled();
  return {
    isOn,
    add(name, labels, value = 1) {
      if (isOn) registry.increment(name, labels, value);
    },
    set(name, labels, value) {
      if (isOn) registry.set(name, value, labels);
    },
    observe(name, labels, value, times = 1) {
      if (!isOn) return;
      const series = registry.observe(name, value, labels) as unknown as Series | null;
      if (series && times > 1) observeAgain(series, value, times - 1);
    },
    clear(name) {
      if (isOn) registry.getMetric(name)?.clear();
    },
  };
}

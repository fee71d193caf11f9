import type { Board, Panel, Query } from "./board.ts";

/**
 * The dashboards. Cluster figures are served by every instance of the service `metrics`: the max over them. What
 * processes count is summed. No query fills a gap with a zero: a curve that is not there is news.
 */

const query = (expr: string, legend: string): Query => ({ expr, legend });
const panel = (title: string, unit: Panel["unit"], text: string, ...queries: Query[]): Panel => ({
  title,
  unit,
  text,
  queries,
});
const rate = (metric: string) => `rate(${metric}[$__rate_interval])`;
const quantile = (q: number, by: string, metric: string) =>
  `histogram_quantile(${q}, sum by (${by === "" ? "le" : `${by}, le`}) (${rate(metric)}))`;
const backlog = (selector: string) => `sum by (stage) (max by (stage, lane, state) (leads_backlog_leads{${selector}}))`;

const flow: Board = {
  uid: "leads-flow",
  title: "Leads: the flow",
  text: "What is slow, what is stuck, and since when: all stages side by side.",
  rows: [
    {
      title: "How much, how fast",
      panels: [
        panel(
          "Backlog",
          "short",
          "Leads that are ready or out, by stage; the intake is what was not let in yet.",
          query(backlog('state!="parked"'), "{{stage}}"),
        ),
        panel(
          "Leaving each stage",
          "ops",
          "Leads a second, whatever the stage said of them.",
          query(`sum by (stage) (${rate("leads_outcomes_total")})`, "{{stage}}"),
        ),
        panel(
          "Taken in",
          "ops",
          "Leads a second that JetStream has, by lane.",
          query(`sum by (lane) (${rate("leads_accepted_total")})`, "{{lane}}"),
        ),
        panel(
          "Oldest message",
          "s",
          "How long the oldest lead has stood in each lane.",
          query("max by (stage, lane) (leads_oldest_age_seconds)", "{{stage}} {{lane}}"),
        ),
        panel(
          "Time to drain",
          "s",
          "Backlog over the rate at which it leaves. A year stands for never.",
          query("max by (stage) (leads_drain_seconds)", "{{stage}}"),
        ),
        panel(
          "End to end, live",
          "s",
          "From the first mailbox to the end of the way.",
          query(quantile(0.5, "", 'leads_end_to_end_seconds_bucket{lane="live"}'), "p50"),
          query(quantile(0.95, "", 'leads_end_to_end_seconds_bucket{lane="live"}'), "p95"),
        ),
      ],
    },
    {
      title: "What goes wrong",
      panels: [
        panel(
          "Failed, waiting, given up",
          "ops",
          "Leads a second that were retried, parked, or became dead letters.",
          query(
            `sum by (stage, outcome) (${rate('leads_outcomes_total{outcome=~"retry|wait|dead|foreign"}')})`,
            "{{stage}} {{outcome}}",
          ),
        ),
        panel(
          "Dead letters",
          "short",
          "Messages that wait for somebody to look at them.",
          query("max by (stage) (leads_dead_letters)", "{{stage}}"),
        ),
        panel(
          "Parked",
          "short",
          "Leads that wait for a moment: a retry, a quota, the morning.",
          query(backlog('state="parked"'), "{{stage}}"),
        ),
        panel(
          "Paused",
          "short",
          "1: an operator has paused the stage.",
          query("max by (stage) (leads_paused)", "{{stage}}"),
        ),
        panel(
          "Outages",
          "short",
          "1: the stage waits for something that is down.",
          query("max by (stage, dependency) (leads_outage)", "{{stage}}: {{dependency}}"),
        ),
        panel(
          "Redelivered",
          "ops",
          "Envelopes that come a second time: a worker died, or was too slow.",
          query(`sum by (stage) (${rate("leads_redeliveries_total")})`, "{{stage}}"),
        ),
      ],
    },
    {
      title: "How many instances",
      panels: [
        panel(
          "Wanted",
          "short",
          "By the scaling law, within the limits.",
          query("max by (stage) (leads_desired_instances)", "{{stage}}"),
        ),
        panel("There", "short", "Instances in the registry.", query("max by (stage) (leads_instances)", "{{stage}}")),
      ],
    },
  ],
};

const own = 'stage="$stage"';
const stage: Board = {
  uid: "leads-stage",
  title: "Leads: one stage",
  text: "Where one stage's time goes, and what the scaling law makes of it.",
  ofStage: true,
  rows: [
    {
      title: "Work",
      panels: [
        panel(
          "Leads",
          "ops",
          "What came and what left, a second.",
          query(`sum by (lane) (${rate(`leads_arrivals_total{${own}}`)})`, "came, {{lane}}"),
          query(`sum by (outcome) (${rate(`leads_outcomes_total{${own}}`)}) > 0`, "{{outcome}}"),
        ),
        panel(
          "Backlog",
          "short",
          "Ready, out, and waiting for a moment.",
          query(`sum by (state) (max by (lane, state) (leads_backlog_leads{${own}}))`, "{{state}}"),
        ),
        panel(
          "Waiting in the mailbox",
          "s",
          "The oldest envelope of each batch.",
          query(quantile(0.5, "lane", `leads_wait_seconds_bucket{${own}}`), "p50 {{lane}}"),
          query(quantile(0.95, "lane", `leads_wait_seconds_bucket{${own}}`), "p95 {{lane}}"),
        ),
        panel(
          "A batch takes",
          "s",
          "From its start to its acknowledgement.",
          query(quantile(0.5, "lane", `leads_batch_duration_seconds_bucket{${own}}`), "p50 {{lane}}"),
          query(quantile(0.95, "lane", `leads_batch_duration_seconds_bucket{${own}}`), "p95 {{lane}}"),
        ),
        panel(
          "Where its time goes",
          "short",
          "Seconds a second in each step: its own work, the record, the next mailbox.",
          query(`sum by (step) (${rate(`leads_step_seconds_total{${own}}`)})`, "{{step}}"),
        ),
        panel(
          "Leads of a batch",
          "short",
          "The mean.",
          query(
            `sum by (lane) (${rate(`leads_batch_size_leads_sum{${own}}`)}) / sum by (lane) (${rate(`leads_batch_size_leads_count{${own}}`)})`,
            "{{lane}}",
          ),
        ),
      ],
    },
    {
      title: "The scaling law",
      panels: [
        panel(
          "Arrival and completion",
          "ops",
          "Leads a second. Arrival is what leaves and what the backlog grew by.",
          query(`max(leads_arrival_leads_per_second{${own}})`, "arrival"),
          query(`max(leads_completion_leads_per_second{${own}})`, "completion"),
        ),
        panel(
          "One busy instance",
          "ops",
          "mu: leads a second that one instance completes when it is busy.",
          query(`max(leads_instance_leads_per_second{${own}})`, "mu"),
        ),
        panel(
          "Busy",
          "percentunit",
          "Share of the time that its instances are busy, the mean.",
          query(`avg(${rate(`leads_busy_seconds_total{${own}}`)})`, "busy"),
        ),
        panel(
          "Instances wanted",
          "short",
          "By the law, and what one sign alone would ask for.",
          query(`max(leads_desired_instances{${own}})`, "the law"),
          query(`max by (by) (leads_desired_instances_by{${own}})`, "{{by}}"),
        ),
        panel(
          "In hand",
          "short",
          "Leads that each instance holds.",
          query(`sum by (instance) (leads_in_hand_leads{${own}})`, "{{instance}}"),
        ),
      ],
    },
  ],
};

const providers: Board = {
  uid: "leads-providers",
  title: "Leads: providers, cost and mail",
  text: "What is asked of others, how well they answer, and what it costs.",
  rows: [
    {
      title: "Providers",
      panels: [
        panel(
          "Calls",
          "reqps",
          "By what came of them.",
          query(`sum by (provider, result) (${rate("leads_provider_calls_total")}) > 0`, "{{provider}} {{result}}"),
        ),
        panel(
          "They take",
          "s",
          "Until the whole answer was there.",
          query(quantile(0.5, "provider", "leads_provider_duration_seconds_bucket"), "p50 {{provider}}"),
          query(quantile(0.95, "provider", "leads_provider_duration_seconds_bucket"), "p95 {{provider}}"),
        ),
        panel(
          "Breakers that are open",
          "short",
          "By the service behind them.",
          query("sum by (service) (leads_breakers_open)", "{{service}}"),
        ),
        panel(
          "Cached answers",
          "percentunit",
          "Share of look-ups that were answered from the cache, by kind.",
          query(
            `sum by (kind) (${rate('leads_cache_requests_total{result="hit"}')}) / sum by (kind) (${rate("leads_cache_requests_total")})`,
            "{{kind}}",
          ),
        ),
      ],
    },
    {
      title: "Money",
      panels: [
        panel(
          "Cost an hour",
          "currencyUSD",
          "What was booked, at the present pace.",
          query(`3600 * sum by (provider) (${rate("leads_provider_cost_dollars_total")})`, "{{provider}}"),
        ),
        panel(
          "Tenants near their budgets",
          "short",
          "Tenants that have used 75, 90 or 100 % of it.",
          query("max by (window, level) (leads_budget_tenants)", "{{window}} {{level}} %"),
        ),
      ],
    },
    {
      title: "Mail",
      panels: [
        panel(
          "Handed over",
          "ops",
          "E-mails a second, by what came of them.",
          query(`sum by (result) (${rate("leads_mail_total")})`, "{{result}}"),
        ),
        panel(
          "Came back",
          "ops",
          "Events a second: delivered, bounced, complained of.",
          query(`sum by (kind) (${rate("leads_mail_events_total")})`, "{{kind}}"),
        ),
        panel(
          "Longest overdue",
          "s",
          "How long the e-mail that has been due for the longest has waited for a sender.",
          query("max(leads_mail_overdue_seconds)", "overdue"),
        ),
      ],
    },
  ],
};

const stores: Board = {
  uid: "leads-stores",
  title: "Leads: what it stands on",
  text: "NATS, PostgreSQL, Redis, the machines and the processes.",
  rows: [
    {
      title: "JetStream",
      panels: [
        panel("Streams", "bytes", "Size of each stream.", query("max by (stream) (leads_stream_bytes)", "{{stream}}")),
        panel("Messages", "short", "In each stream.", query("max by (stream) (leads_stream_messages)", "{{stream}}")),
        panel(
          "The whole store",
          "bytes",
          "What JetStream holds on disk.",
          query("max(leads_jetstream_store_bytes)", "store"),
        ),
      ],
    },
    {
      title: "PostgreSQL and Redis",
      panels: [
        panel(
          "Transactions",
          "ops",
          "Committed and rolled back, by database.",
          query(
            `sum by (datname) (${rate('pg_stat_database_xact_commit{datname!~"template.*|postgres|"}')})`,
            "{{datname}}",
          ),
        ),
        panel(
          "Rows written",
          "ops",
          "Inserted and updated, by database.",
          query(
            `sum by (datname) (${rate('pg_stat_database_tup_inserted{datname!~"template.*|postgres|"}')} + ${rate('pg_stat_database_tup_updated{datname!~"template.*|postgres|"}')})`,
            "{{datname}}",
          ),
        ),
        panel(
          "Connections in use",
          "short",
          "Of each process's pool.",
          query('sum by (instance) (leads_pool_connections{state="used"})', "{{instance}}"),
        ),
        panel("Redis", "ops", "Commands a second.", query(rate("redis_commands_processed_total"), "commands")),
      ],
    },
    {
      title: "Machines and processes",
      panels: [
        panel(
          "CPU of the machine",
          "short",
          "Cores that work, and on what.",
          query(`sum by (mode) (${rate('node_cpu_seconds_total{mode!="idle"}')})`, "{{mode}}"),
        ),
        panel(
          "Memory that is free",
          "bytes",
          "For whoever needs it.",
          query("node_memory_MemAvailable_bytes", "{{instance}}"),
        ),
        panel(
          "CPU of the processes",
          "short",
          "Cores.",
          query(`sum by (service) (${rate("leads_process_cpu_seconds_total")})`, "{{service}}"),
        ),
        panel(
          "Memory of the processes",
          "bytes",
          "Resident.",
          query("sum by (service) (leads_process_memory_bytes)", "{{service}}"),
        ),
        panel(
          "The event loop is late",
          "s",
          "p99 of each process.",
          query('max by (service) (leads_event_loop_delay_seconds{quantile="0.99"})', "{{service}}"),
        ),
        panel(
          "The event loop works",
          "percentunit",
          "Share of the time.",
          query("max by (service) (leads_event_loop_utilization_ratio)", "{{service}}"),
        ),
      ],
    },
  ],
};

const edge: Board = {
  uid: "leads-edge",
  title: "Leads: the edge",
  text: "What comes over HTTP, how it is answered, and how fast.",
  rows: [
    {
      title: "Requests",
      panels: [
        panel(
          "By operation",
          "reqps",
          "Requests a second.",
          query(`sum by (operation) (${rate("leads_http_requests_total")})`, "{{operation}}"),
        ),
        panel(
          "By answer",
          "reqps",
          "Requests a second, by the class of their status.",
          query(`sum by (code) (${rate("leads_http_requests_total")})`, "{{code}}"),
        ),
        panel(
          "They take",
          "s",
          "By operation.",
          query(quantile(0.5, "operation", "leads_http_duration_seconds_bucket"), "p50 {{operation}}"),
          query(quantile(0.95, "operation", "leads_http_duration_seconds_bucket"), "p95 {{operation}}"),
        ),
        panel(
          "Taken in",
          "ops",
          "Leads a second, by lane.",
          query(`sum by (lane) (${rate("leads_accepted_total")})`, "{{lane}}"),
        ),
        panel(
          "In the intake",
          "short",
          "Bulk leads that were not let in yet.",
          query('max(leads_backlog_leads{stage="intake"})', "leads"),
        ),
      ],
    },
  ],
};

export const boards: readonly Board[] = [flow, stage, providers, stores, edge];

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { ServerKind } from "./server.ts";

const root = join(import.meta.dirname, "..", "..");
/** The alerts, as every Prometheus of the mesh has them. */
export const rulesFile = join(root, "compose", "prometheus", "alerts.rules.yml");

export interface PrometheusOptions {
  /** The service `metrics`: it serves the cluster's metrics, and lists all processes. */
  metricsUrl: string;
  /** Job -> `host:port` of what else is scraped. */
  exporters: Readonly<Record<string, string>>;
  /** null: alerts go nowhere but to Prometheus' own page. */
  alertmanagerUrl: string | null;
  scrapeSeconds: number;
  /** Other rules than the mesh's. */
  rules?: string;
}

/** Prometheus' configuration: compose/prometheus/prometheus.yml is the same with the names of containers. */
export function prometheusConfig({
  metricsUrl,
  exporters,
  alertmanagerUrl,
  scrapeSeconds,
  rules = rulesFile,
}: PrometheusOptions): object {
  const host = new URL(metricsUrl).host;
  const every = `${scrapeSeconds}s`;
  const exporterEvery = `${Math.max(5, scrapeSeconds)}s`;
  return {
    global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
    rule_files: [rules],
    ...(alertmanagerUrl === null
      ? {}
      : { alerting: { alertmanagers: [{ static_configs: [{ targets: [new URL(alertmanagerUrl).host] }] }] } }),
    scrape_configs: [
      { job_name: "process", http_sd_configs: [{ url: `${metricsUrl}/targets`, refresh_interval: every }] },
      { job_name: "cluster", static_configs: [{ targets: [host] }] },
      ...Object.entries(exporters).map(([job, target]) => ({
        job_name: job,
        // A look at all of PostgreSQL's tables takes longer, and costs more, than a look at a counter.
        ...{ scrape_interval: exporterEvery, scrape_timeout: exporterEvery },
        static_configs: [{ targets: [target] }],
      })),
    ],
  };
}

/** A private Prometheus that keeps a day. */
export function prometheusServer(binary: string, options: PrometheusOptions): ServerKind {
  return {
    name: "prometheus",
    async prepare(dataDir) {
      mkdirSync(dataDir, { recursive: true });
      writeFileSync(join(dataDir, "prometheus.yml"), stringify(prometheusConfig(options)));
    },
    command: ({ port, dataDir }) => ({
      file: binary,
      args: [
        `--config.file=${join(dataDir, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(dataDir, "data")}`,
        ...["--storage.tsdb.retention.time=1d", `--web.listen-address=127.0.0.1:${port}`, "--log.level=warn"],
      ],
    }),
    url: ({ port }) => `http://127.0.0.1:${port}`,
    stopSignal: "SIGTERM",
    isReady: async (url) => (await fetch(`${url}/-/ready`)).ok,
  };
}

/** A private Alertmanager with this configuration, alone: it looks for no others. */
export function alertmanagerServer(binary: string, config: object): ServerKind {
  return {
    name: "alertmanager",
    async prepare(dataDir) {
      mkdirSync(dataDir, { recursive: true });
      writeFileSync(join(dataDir, "alertmanager.yml"), stringify(config), { mode: 0o600 });
    },
    command: ({ port, dataDir }) => ({
      file: binary,
      args: [
        `--config.file=${join(dataDir, "alertmanager.yml")}`,
        `--storage.path=${join(dataDir, "data")}`,
        ...[`--web.listen-address=127.0.0.1:${port}`, "--cluster.listen-address=", "--log.level=warn"],
      ],
    }),
    url: ({ port }) => `http://127.0.0.1:${port}`,
    stopSignal: "SIGTERM",
    isReady: async (url) => (await fetch(`${url}/-/ready`)).ok,
  };
}

/** One of the exporters: it says at /metrics what it sees. */
export function exporterServer(
  name: string,
  command: (port: number) => { file: string; args: string[]; env?: Record<string, string> },
): ServerKind {
  return {
    name,
    command: ({ port }) => command(port),
    url: ({ port }) => `http://127.0.0.1:${port}`,
    stopSignal: "SIGTERM",
    isReady: async (url) => (await fetch(`${url}/metrics`)).ok,
  };
}

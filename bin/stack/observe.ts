import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Settings } from "../../config/settings.ts";
import { alertmanagerProgram, debianProgram } from "./debian.ts";
import { alertmanagerServer, exporterServer, prometheusServer } from "./prometheus.ts";
import type { ServerKind } from "./server.ts";
import type { Log } from "./tools.ts";
import { findZipkin, zipkinServer } from "./zipkin.ts";

/** What an observer is started with. */
export interface Observed {
  /** The stack's folder. */
  dir: string;
  settings: Settings;
  /** The administrator's PostgreSQL. */
  adminUrl: string;
  /** Observers that run already, name -> URL. */
  running: ReadonlyMap<string, string>;
  log: Log;
}

/**
 * Something that `npm start -- --observe` starts beside the mesh, a private process on a free port of the loopback. One
 * entry each; started in this order. It gives the server, or throws why there is none: then it is left out, with a word.
 */
export interface Observer {
  name: string;
  server(observed: Observed): Promise<ServerKind>;
}

const root = join(import.meta.dirname, "..", "..");
const alertmanagerFile = join(root, "compose", "prometheus", "alertmanager.yml");
/** The job that Prometheus knows each exporter by. */
export const exporterJobs = { "node-exporter": "node", "postgres-exporter": "postgres", "redis-exporter": "redis" };

export const observers: readonly Observer[] = [
  {
    name: "node-exporter",
    async server({ dir }) {
      const file = await debianProgram(dir, "prometheus-node-exporter", "prometheus-node-exporter");
      return exporterServer("node-exporter", (port) => ({ file, args: [`--web.listen-address=127.0.0.1:${port}`] }));
    },
  },
  {
    name: "postgres-exporter",
    async server({ dir, adminUrl }) {
      const file = await debianProgram(dir, "prometheus-postgres-exporter", "prometheus-postgres-exporter");
      return exporterServer("postgres-exporter", (port) => ({
        file,
        args: [`--web.listen-address=127.0.0.1:${port}`, "--log.level=error"],
        // By the environment: a command line can be read by everybody on the machine.
        env: { DATA_SOURCE_NAME: `${adminUrl}?sslmode=disable` },
      }));
    },
  },
  {
    name: "redis-exporter",
    async server({ dir, settings }) {
      if (settings.redisUrl === "") throw new Error("there is no Redis to look at");
      const file = await debianProgram(dir, "prometheus-redis-exporter", "prometheus-redis-exporter");
      return exporterServer("redis-exporter", (port) => ({
        file,
        args: ["-web.listen-address", `127.0.0.1:${port}`],
        env: { REDIS_ADDR: settings.redisUrl },
      }));
    },
  },
  {
    name: "nats-exporter",
    async server() {
      throw new Error(
        "neither Debian nor the Go proxy has it; the service metrics shows JetStream's streams and store (compose has it)",
      );
    },
  },
  {
    name: "zipkin",
    async server({ dir, log }) {
      const found = await findZipkin(dir, log);
      if (!found) throw new Error("traces are not kept");
      return zipkinServer(found);
    },
  },
  {
    name: "alertmanager",
    async server({ dir }) {
      const file = await alertmanagerProgram(dir);
      return alertmanagerServer(file, parse(readFileSync(alertmanagerFile, "utf8")) as object);
    },
  },
  {
    name: "prometheus",
    async server({ dir, settings, running }) {
      const file = await debianProgram(dir, "prometheus", "prometheus");
      const jobs = Object.entries(exporterJobs).flatMap(([name, job]) => {
        const url = running.get(name);
        return url === undefined ? [] : [[job, new URL(url).host] as const];
      });
      return prometheusServer(file, {
        metricsUrl: `http://${settings.metricsHost}:${settings.metricsClusterPort}`,
        exporters: Object.fromEntries(jobs),
        alertmanagerUrl: running.get("alertmanager") ?? null,
        scrapeSeconds: 5,
      });
    },
  },
];

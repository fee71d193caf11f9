import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { environmentOf, loadSettings, type Settings } from "../../config/settings.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { rekeyLeads } from "../../services/dedupe/rekey.sql.ts";
import { migrate } from "../../services/leads/migrations/migrate.ts";
import { endAll, running } from "./leftovers.ts";
import { apiUrl, MeshNode, nodesOf, waitForServices } from "./mesh.ts";
import { findNatsServer, natsServer } from "./nats.ts";
import { observers } from "./observe.ts";
import { createDatabase, postgresHome, postgresServer } from "./postgres.ts";
import { end, freePort, type ProcessRecord, stackMark, until } from "./process.ts";
import { findRedisServer, redisServer } from "./redis.ts";
import { Server, type ServerKind } from "./server.ts";
import { readState, type State, writeState } from "./state.ts";
import { Supervisor } from "./supervisor.ts";
import type { Log } from "./tools.ts";

const root = join(import.meta.dirname, "..", "..");

/** How long the services may take to come up, ms: a cold disk and a busy machine included. */
const readyWithinMs = 90_000;

/** Thrown by what is under way when the stack is told to stop. */
export class Stopped extends Error {}

/**
 * Private servers and a mesh on them, in one folder. Notes every process in the folder's state the moment it is there;
 * one started while the stack stops is ended at once.
 */
export class Stack {
  readonly dir: string;
  readonly #log: Log;
  readonly #supervisor: Supervisor;
  #adminUrl = "";
  #state: State;
  #drainMs = 25_000;
  #stopping: Promise<void> | undefined;

  constructor(dir: string, log: Log) {
    this.dir = dir;
    this.#log = log;
    this.#supervisor = new Supervisor(log);
    const { ports, dataDirs, processes, env } = readState(dir);
    // What a killed start left is listed until it has been ended.
    this.#state = { phase: "starting", env, processes, ports, dataDirs };
    mkdirSync(join(dir, "log"), { recursive: true });
    this.#write({});
  }

  #write(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    writeState(this.dir, this.#state);
  }

  setPhase(phase: State["phase"]): void {
    this.#write({ phase });
  }

  #note(record: ProcessRecord): void {
    const others = this.#state.processes.filter(({ name }) => name !== record.name);
    const isServer = record.dataDir !== undefined && record.url !== undefined;
    const port = isServer ? { [record.name]: Number(new URL(record.url!).port) } : {};
    const dataDir = record.dataDir === undefined ? {} : { [record.name]: record.dataDir };
    this.#write({
      processes: [...others, record],
      ports: { ...this.#state.ports, ...port },
      dataDirs: { ...this.#state.dataDirs, ...dataDir },
    });
    if (this.#stopping) void end(record, 0, "SIGKILL");
  }

  #goOn(): void {
    if (this.#stopping) throw new Stopped("stopped");
  }

  /** Ends what a start that was killed left running in this folder. */
  async clean(): Promise<void> {
    const left = running(this.dir, this.#state);
    if (left.length > 0) {
      this.#log(
        `ending what a start before this one left: ${left.map(({ name, pid }) => `${name} (${pid})`).join(", ")}`,
      );
      await endAll(left, this.#drainMs, () => {});
    }
    this.#write({ processes: [] });
  }

  /** Starts the servers, makes and migrates the database. Returns the settings of a mesh that uses them. */
  async startServers(env: Record<string, string | undefined>): Promise<Settings> {
    const [nats, redis, postgres] = await Promise.all([
      findNatsServer(this.dir, this.#log).then((binary) => this.#startServer(natsServer(binary))),
      findRedisServer(this.#log).then((binary) => (binary ? this.#startServer(redisServer(binary)) : undefined)),
      this.#startPostgres(),
    ]);
    if (!redis) this.#log("there is no redis-server: each process caches for itself, and rate limits count a process");
    this.#goOn();
    this.#adminUrl = postgres.url;
    const databaseUrl = await createDatabase(postgres.url, "leads");
    const givenPort = Number(env["LEADS_HTTP_PORT"] ?? 0);
    const httpPort = givenPort || (await freePort(this.#state.ports["gateway"] ?? 3000));
    const metricsPort =
      Number(env["LEADS_METRICS_CLUSTER_PORT"] ?? 0) || (await freePort(this.#state.ports["metrics"] ?? 3030));
    const generator = `http://127.0.0.1:${await freePort(this.#state.ports["generator"] ?? 0)}`;
    const settings = loadSettings({
      LEADS_FETCH: "generator",
      LEADS_GENERATOR_URL: generator,
      LEADS_PUBLIC_URL: `http://127.0.0.1:${httpPort}`,
      ...env,
      LEADS_HTTP_PORT: String(httpPort),
      LEADS_METRICS_CLUSTER_PORT: String(metricsPort),
      LEADS_NATS_URL: nats.url,
      LEADS_REDIS_URL: redis?.url ?? "",
      LEADS_DATABASE_URL: databaseUrl,
    });
    this.#drainMs = settings.drainMs;
    const ports = {
      ...this.#state.ports,
      gateway: settings.httpPort,
      metrics: metricsPort,
      generator: Number(new URL(generator).port),
    };
    this.#write({ env: environmentOf(settings), ports });

    const knex = openDatabase({ databaseUrl, databasePool: 1, statementTimeoutMs: 600_000 });
    try {
      const ran = await migrate(knex);
      if (ran.length > 0) this.#log(`database migrated: ${ran.join(", ")}`);
      const rekeyed = await rekeyLeads(knex);
      if (rekeyed > 0) this.#log(`gave ${rekeyed} leads the keys by which their doubles are found`);
    } finally {
      await knex.destroy();
    }
    return settings;
  }

  async #startPostgres(): Promise<Server> {
    const home = postgresHome(root, this.dir, this.#log);
    return this.#startServer(postgresServer(home), home.dataDir);
  }

  async #startServer(kind: ServerKind, dataDir = join(this.dir, kind.name)): Promise<Server> {
    this.#goOn();
    const port = this.#state.ports[kind.name];
    const server = new Server(kind, {
      dataDir,
      log: join(this.dir, "log", `${kind.name}.log`),
      env: { [stackMark]: this.dir },
      onSpawn: (record) => this.#note(record),
      ...(port === undefined ? {} : { port }),
    });
    await server.start();
    this.#goOn();
    this.#log(`${kind.name} listens on 127.0.0.1:${server.port}`);
    void this.#supervisor.watch({ name: kind.name, start: () => server.start(), ended: () => server.ended });
    return server;
  }

  /** Starts the services, in one process or one each, and waits until all of them answer. Returns the API's address. */
  async startMesh(settings: Settings, separate: boolean): Promise<string> {
    const nodes = nodesOf(separate).map(
      (node) => new MeshNode(node, { settings, dir: this.dir, onSpawn: (record) => this.#note(record) }),
    );
    this.#log(`starting ${nodes.map(({ name }) => name).join(", ")}`);
    for (const node of nodes) {
      this.#goOn();
      await node.start();
      void this.#supervisor.watch(node);
    }
    const api = apiUrl(settings);
    try {
      await waitForServices(settings, readyWithinMs);
      await until("the API is ready", readyWithinMs, async () => {
        this.#goOn();
        return fetch(`${api}/readyz`).then(
          (answer) => answer.ok,
          () => false,
        );
      });
    } catch (error) {
      if (error instanceof Stopped) throw error;
      const words = nodes.map((node) => `--- ${node.log}\n${node.lastWords()}`).join("\n");
      throw new Error(`the mesh does not come up: ${(error as Error).message}\n${words}`, { cause: error });
    }
    this.#write({ apiUrl: api });
    return api;
  }

  /** Starts what watches the mesh, one after another; what cannot be had is left out. Returns name -> address. */
  async startObservers(settings: Settings): Promise<Map<string, string>> {
    const running = new Map<string, string>();
    for (const { name, server } of observers) {
      this.#goOn();
      try {
        const kind = await server({ dir: this.dir, settings, adminUrl: this.#adminUrl, running, log: this.#log });
        running.set(name, (await this.#startServer(kind)).url);
      } catch (error) {
        if (error instanceof Stopped) throw error;
        this.#log(`no ${name}: ${(error as Error).message}`);
      }
    }
    return running;
  }

  /** Ends everything, services first. Once, however often it is asked. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#supervisor.rest();
    // Again, for what was being started when the stop came.
    for (let left = running(this.dir, this.#state); left.length > 0; left = running(this.dir, this.#state)) {
      await endAll(left, this.#drainMs, this.#log);
    }
    const { apiUrl: _, ...rest } = this.#state;
    writeState(this.dir, { ...rest, phase: "stopped", processes: [] });
  }
}

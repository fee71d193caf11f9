import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import type { JetStreamManager, NatsConnection } from "nats";
import { type Backlog, isQuiet, readBacklog } from "../../bin/demo/backlog.ts";
import { type Sites, startSites } from "../../bin/demo/sites.ts";
import { serviceFiles } from "../../bin/stack/mesh.ts";
import { natsServer } from "../../bin/stack/nats.ts";
import { createDatabase } from "../../bin/stack/postgres.ts";
import { freePort, until } from "../../bin/stack/process.ts";
import { Supervisor } from "../../bin/stack/supervisor.ts";
import { lanes, type Names, namesFor } from "../../config/names.ts";
import { pipeline, sideStages } from "../../config/pipeline.ts";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { consumerInfo, ensureStreams, jsApi } from "../../mixins/jetstream.ts";
import { createKey } from "../../mixins/keys.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { connectNats } from "../../mixins/resources.ts";
import { migrate } from "../../services/leads/migrations/migrate.ts";
import { Mailbox, mailSettings } from "../support/mail.ts";
import type { HttpStub } from "../support/providers/http-stub.ts";
import { pagespeedStub } from "../support/providers/pagespeed.ts";
import { homeDir, natsBinary, type OwnServer, own, ownPostgres, ownRedis, withSettings } from "../support/servers.ts";
import type { Clock } from "./clock.ts";
import { startCluster } from "./cluster.ts";
import { type Line, type Lines, openLines } from "./lines.ts";
import { limitedNats } from "./nats.ts";
import { MeshProcess } from "./node.ts";
import { unsettled } from "./proof.sql.ts";
import { fixedSettings } from "./settings.ts";

/**
 * How long a new process is up before the one that it replaces is told to leave: the others may hear of it later than of
 * the old one's farewell. Nomad's `min_healthy_time` is ten seconds.
 */
export const minHealthyMs = 2_000;

export const stages = pipeline.map(({ name }) => name);

/** Who runs: one process a line, by the names of its services. `mail` and `sender` share one: neither is of use alone. */
const processes: Record<string, string[]> = {
  gateway: ["gateway"],
  gateway2: ["gateway"],
  ...Object.fromEntries(stages.map((stage) => [stage, [stage]])),
  ...Object.fromEntries(["admission", "leads", "site", "pagespeed", "budget", "smtp"].map((name) => [name, [name]])),
  // Look-ups need it: as of the gateway there are two.
  leads2: ["leads"],
  sender: ["sender", "mail"],
};

export interface WorldOptions {
  clock: Clock;
  /** Three NATS servers and R3 streams instead of one server. Its lines cannot be cut: a cluster tells its own addresses. */
  cluster: boolean;
  /** Build toxiproxy where it is not there. */
  build: boolean;
  log(line: string): void;
}

/** A mesh of processes on private servers, the outside world it talks to, and the driver's own eyes on all of it. */
export class World implements AsyncDisposable {
  readonly clock: Clock;
  readonly cluster: boolean;
  readonly nodes = new Map<string, MeshProcess>();
  readonly supervisor: Supervisor;
  readonly names: Names;
  readonly log: (line: string) => void;
  settings!: Settings;
  /** One, or the three of the cluster. */
  natsServers: OwnServer[] = [];
  postgres!: OwnServer;
  redis: OwnServer | null = null;
  box!: Mailbox;
  sites!: Sites;
  pagespeed!: HttpStub;
  /** The driver's own ways: past every line. */
  nats!: NatsConnection;
  knex!: Knex;
  lines!: Lines;
  gateways: string[] = [];
  readonly #stack = new AsyncDisposableStack();
  #others = 0;

  private constructor({ clock, cluster, log }: WorldOptions) {
    this.clock = clock;
    this.cluster = cluster;
    this.log = log;
    this.names = namesFor("fault");
    this.supervisor = new Supervisor((line) => log(`  (${line})`));
  }

  static async start(options: WorldOptions): Promise<World> {
    const world = new World(options);
    try {
      await world.#start(options.build);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(build: boolean): Promise<void> {
    const stack = this.#stack;
    mkdirSync(this.logs, { recursive: true });
    const binary = await natsBinary();
    const [servers, postgres, redis, box, sites, pagespeed, lines] = await Promise.all([
      this.cluster ? startCluster(binary) : own(limitedNats(natsServer(binary), homeDir())).then((one) => [one]),
      ownPostgres(),
      ownRedis(),
      Mailbox.open(),
      startSites(),
      pagespeedStub(),
      openLines(build, this.log),
    ]);
    for (const one of [...servers, postgres, box, sites, pagespeed, lines]) stack.use(one);
    if (redis) stack.use(redis);
    Object.assign(this, { natsServers: servers, postgres, redis, box, sites, pagespeed, lines });
    pagespeed.delayMs = 40;
    box.delay = () => 80;
    this.settings = loadSettings({
      ...mailSettings(box.url),
      LEADS_PREFIX: this.names.prefix,
      LEADS_NATS_URL: servers.map(({ url }) => url).join(","),
      LEADS_REPLICAS: this.cluster ? "3" : "1",
      LEADS_DATABASE_URL: await createDatabase(postgres.url, "fault"),
      LEADS_REDIS_URL: redis?.url ?? "",
      LEADS_STATEMENT_TIMEOUT_MS: String(this.clock.statementTimeoutMs),
      LEADS_GENERATOR_URL: sites.url,
      LEADS_PAGESPEED_URL: pagespeed.url,
      ...fixedSettings,
    });
    this.knex = openDatabase({ ...this.settings, databasePool: 4, statementTimeoutMs: 120_000 });
    stack.defer(() => this.knex.destroy());
    await migrate(this.knex);
    // A circle is to be seen before a statement of these clocks times out.
    await this.knex.raw("alter database fault set deadlock_timeout = '100ms'");
    this.nats = await connectNats(this.settings, "driver");
    stack.defer(() => this.nats.close());
    await ensureStreams(this.nats, this.names, this.settings, pipeline, sideStages);
    stack.defer(async () => {
      this.supervisor.rest();
      await Promise.all([...this.nodes.values()].map((node) => node.destroy()));
    });
    for (const [name, services] of Object.entries(processes)) await this.startNode(name, services);
    await Promise.all([...this.nodes.values()].map((node) => node.up()));
    await Promise.all(this.gateways.map((_, at) => this.ready(at)));
    this.log(`${this.nodes.size} processes are up, lines by ${this.cluster ? "nobody" : lines.by}`);
  }

  get logs(): string {
    return join(homeDir(), this.cluster ? "cluster-log" : "log");
  }

  /** A process of the mesh with lines of its own. `like` another, it is one more instance of the same. */
  async startNode(name: string, services: string[] = processes[name]!): Promise<MeshProcess> {
    const gateway = services.includes("gateway");
    const port = gateway ? await freePort() : 0;
    const { lines, settings } = await this.#wire(name);
    const node = new MeshProcess({
      name,
      files: serviceFiles()
        .filter((file) => services.includes(file.name))
        .map(({ file }) => file),
      settings: withSettings(settings, { LEADS_HTTP_PORT: String(port) }),
      clock: this.clock,
      log: join(this.logs, `${name}.log`),
      lines,
    });
    this.nodes.set(name, node);
    if (gateway) this.gateways.push(`http://127.0.0.1:${port}`);
    await node.start();
    void this.supervisor.watch(node);
    return node;
  }

  /** One more instance of `name`, up, under a name that there never was: its lines stay. */
  async another(name: string): Promise<MeshProcess> {
    const node = await this.startNode(`${name}-${++this.#others}`, processes[name]!);
    await node.up();
    return node;
  }

  /** kill -9, for good. */
  async dismiss(node: MeshProcess): Promise<void> {
    await node.destroy();
    this.nodes.delete(node.name);
  }

  /** Everything that runs, the servers too. */
  *pids(): Generator<[string, number]> {
    for (const { name, pid } of this.nodes.values()) if (pid !== undefined) yield [name, pid];
    for (const [n, { pid }] of this.natsServers.entries()) if (pid) yield [n === 0 ? "nats" : `nats${n + 1}`, pid];
    if (this.postgres.pid) yield ["postgres", this.postgres.pid];
    if (this.redis?.pid) yield ["redis", this.redis.pid];
  }

  /** Waits until a gateway would be given requests by a balancer. */
  async ready(gateway: number): Promise<void> {
    await until(`gateway ${gateway} is ready`, 60_000, () =>
      fetch(`${this.gateways[gateway]}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  }

  /** Ends a process and starts it again, with these modules loaded before the product (test/fault/bugs). */
  async restart(name: string, imports: string[], leave = (old: MeshProcess) => old.retire()): Promise<void> {
    const old = this.nodes.get(name)!;
    await leave(old);
    const next = old.again(imports);
    this.nodes.set(name, next);
    await next.start();
    void this.supervisor.watch(next);
    await next.up();
  }

  /** Lines to NATS, PostgreSQL and Redis for one process, and the settings by which it takes them. */
  async #wire(name: string): Promise<{ lines: Line[]; settings: Settings }> {
    if (this.cluster) return { lines: [], settings: this.settings };
    const { natsUrl, databaseUrl, redisUrl } = this.settings;
    const nats = await this.lines.open(`${name}-nats`, natsUrl);
    const database = await this.lines.open(`${name}-postgres`, databaseUrl);
    const redis = redisUrl === "" ? undefined : await this.lines.open(`${name}-redis`, redisUrl);
    return {
      lines: [nats, database, ...(redis ? [redis] : [])],
      settings: withSettings(this.settings, {
        LEADS_NATS_URL: nats.url,
        LEADS_DATABASE_URL: database.url,
        ...(redis && { LEADS_REDIS_URL: redis.url }),
      }),
    };
  }

  /** The settings of a command that joins by a line of its own. */
  async wired(name: string): Promise<{ lines: Line[]; settings: Settings }> {
    return this.#wire(name);
  }

  async apiKey(tenant: string): Promise<string> {
    return (await createKey(this.nats, this.names, { tenant, scopes: ["ingest", "read"] })).secret;
  }

  /** Envelopes that a stage has out and not acknowledged. */
  async inHand(stage: string): Promise<number> {
    const { stream, consumer } = this.names.mailbox(stage);
    const infos = await Promise.all(lanes.map((lane) => consumerInfo(this.nats, stream, consumer(lane))));
    return infos.reduce((sum, info) => sum + info.num_ack_pending, 0);
  }

  async allInHand(): Promise<number> {
    return (await Promise.all(stages.map((stage) => this.inHand(stage)))).reduce((a, b) => a + b, 0);
  }

  /** JetStream as the driver asks it, with patience for a server that is busy. */
  streams(): Promise<JetStreamManager> {
    return this.nats.jetstreamManager({ timeout: 60_000, checkAPI: false });
  }

  backlog(): Promise<Backlog> {
    return readBacklog(this.nats, this.names, stages);
  }

  /** Deliveries so far beyond one a message: exact while the mesh is quiet. */
  async redeliveries(): Promise<number> {
    let extra = 0;
    for (const stage of stages) {
      const { stream, consumer } = this.names.mailbox(stage);
      const { state } = await jsApi(this.nats, `STREAM.INFO.${stream}`);
      extra -= state.last_seq;
      for (const lane of lanes) extra += (await consumerInfo(this.nats, stream, consumer(lane))).delivered.consumer_seq;
    }
    return extra;
  }

  /** Waits until nothing moves and nothing is due, twice in a row. Answers what still does when it takes too long. */
  async quiet(withinMs: number): Promise<string | null> {
    const deadline = Date.now() + withinMs;
    for (let inARow = 0; ; ) {
      const moves = await this.#moving().catch((error: Error) => error.message);
      inARow = moves === null ? inARow + 1 : 0;
      if (inARow === 2) return null;
      if (Date.now() > deadline) return moves;
      await delay(200);
    }
  }

  async #moving(): Promise<string | null> {
    const backlog = await this.backlog();
    if (!isQuiet(backlog)) return JSON.stringify(backlog);
    const left = await unsettled(this.knex);
    return left.mails + left.payments > 0 ? JSON.stringify(left) : null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/**
 * The servers that tests run against: private, real, started once for a mocha process when first asked for, on free
 * ports and in a folder of their own. They end with the run; when it is killed, a guard ends them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNatsServer, natsServer } from "../../bin/stack/nats.ts";
import { createDatabase, dropDatabase, postgresHome, postgresServer } from "../../bin/stack/postgres.ts";
import { findRedisServer, redisServer } from "../../bin/stack/redis.ts";
import { Server, type ServerKind } from "../../bin/stack/server.ts";
import { findZipkin, zipkinServer } from "../../bin/stack/zipkin.ts";
import { type Names, namesFor } from "../../config/names.ts";
import { environmentOf, loadSettings, type Settings } from "../../config/settings.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { connectNats } from "../../mixins/resources.ts";
import { migrate } from "../../services/leads/migrations/migrate.ts";
import { trackLeak } from "./leaks.ts";

const root = join(import.meta.dirname, "..", "..");
const stackDir = join(root, ".stack");
const log = (line: string) => console.log(`# ${line}`);

let home: string | undefined;
let guard: ChildProcess | undefined;
/** All that were begun, those that never answered among them: {@link stopServers} ends what still runs. */
const begun = new Set<Server>();

/** The run's folder under the system's temporary one. */
export function homeDir(): string {
  if (home === undefined) {
    home = mkdtempSync(join(tmpdir(), "leadfactory-test-"));
    chmodSync(home, 0o755);
    // Reads the pids of what we start, and with a minus of what has ended; when our end of the pipe closes, in whatever way
    // we die, it ends the others.
    const script =
      'pids=" "; while read -r pid; do case $pid in -*) pids=$(printf %s "$pids" | sed "s/ $(printf %s "$pid" | cut -c2-) / /");; *) pids="$pids$pid ";; esac; done; kill $pids; sleep 2; kill -9 $pids; rm -rf -- "$1"';
    guard = spawn("sh", ["-c", script, "guard", home], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    guard.unref();
    (guard.stdin as unknown as { unref(): void }).unref();
    guard.stdin!.on("error", () => {});
  }
  return home;
}

/** Notes a process of ours: it ends with this run, however that ends. Call what it returns when it has ended before. */
export function guarded(pid: number): () => void {
  homeDir();
  guard!.stdin!.write(`${pid}\n`);
  return () => void guard!.stdin!.write(`-${pid}\n`);
}

/** A server of the test's own, to kill, freeze and start again: same port, same data. `await using` ends it. */
export type OwnServer = Server & AsyncDisposable;

export async function own(kind: ServerKind): Promise<OwnServer> {
  const name = `${kind.name}-${randomBytes(4).toString("hex")}`;
  const server = new Server(kind, {
    dataDir: join(homeDir(), name),
    log: join(homeDir(), `${name}.log`),
    onSpawn: ({ pid }) => guarded(pid),
  });
  begun.add(server);
  await server.start();
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.stop(5_000) });
}

const once = <T>(make: () => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
};
/** The nats-server that tests run. */
export const natsBinary = once(() => findNatsServer(stackDir, log));
const natsKind = once(async () => natsServer(await natsBinary()));
const redisBinary = once(() => findRedisServer(log));
const postgresKind = (durable: boolean) => postgresServer(postgresHome(root, stackDir, log), { durable });

/** A NATS server of this test's own. */
export const ownNats = async (): Promise<OwnServer> => own(await natsKind());
/** A PostgreSQL of this test's own; `url` is its administrator's. Takes about two seconds. A bench takes a durable one. */
export const ownPostgres = async ({ durable = false } = {}): Promise<OwnServer> => own(postgresKind(durable));
/** A Redis of this test's own; null where there is no redis-server. */
export const ownRedis = async (): Promise<OwnServer | null> => {
  const binary = await redisBinary();
  return binary ? own(redisServer(binary)) : null;
};

/** A Zipkin of this test's own, up in five seconds; null where there is no Java for it, or no jar. */
export const ownZipkin = async (): Promise<OwnServer | null> => {
  const zipkin = await findZipkin(stackDir, log);
  return zipkin ? own(zipkinServer(zipkin)) : null;
};

export interface Servers {
  natsUrl: string;
  /** "" where there is no redis-server. */
  redisUrl: string;
  /** The administrator's database. */
  databaseUrl: string;
}

/** The shared servers of this run. */
export const servers: () => Promise<Servers> = once(async () => {
  const all = await Promise.allSettled([ownNats(), ownRedis(), ownPostgres()]);
  const [natsUrl, redisUrl, databaseUrl] = all.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value?.url ?? "";
  });
  return { natsUrl, redisUrl, databaseUrl } as Servers;
});

/** Ends the servers of this run. The last thing a run does. Throws where a PostgreSQL of the run crashed. */
export async function stopServers(): Promise<void> {
  await Promise.all(Array.from(begun, (server) => server.stop(5_000)));
  const crashes = home === undefined ? [] : crashesIn(home);
  if (home !== undefined) rmSync(home, { recursive: true, force: true });
  guard?.kill("SIGKILL");
  if (crashes.length > 0) throw new Error(`PostgreSQL crashed: ${crashes.join("; ")}`);
}

/**
 * Processes of PostgreSQL that ended by a signal, by its logs, with the statements they ran: it then ends all sessions and
 * recovers, and whoever is hit sees an outage. No test does that: what is killed here is the whole server.
 */
function crashesIn(folder: string): string[] {
  const crash = /LOG: {2}(.* was terminated by signal .*)(?:\n.*DETAIL: {2}(.*))?/g;
  return globSync("postgres-*.log", { cwd: folder }).flatMap((name) =>
    Array.from(
      readFileSync(join(folder, name), "utf8").matchAll(crash),
      ([, what, detail = ""]) => `${what} ${detail}`,
    ),
  );
}

const template = "template_leads";
/** A migrated database that the others are copies of: a copy takes 50 ms, the migrations ten times that. */
const migratedTemplate = once(async () => {
  const { databaseUrl: adminUrl } = await servers();
  const databaseUrl = await createDatabase(adminUrl, template);
  const knex = openDatabase({ databaseUrl, databasePool: 1, statementTimeoutMs: 60_000 });
  try {
    await migrate(knex);
  } finally {
    await knex.destroy();
  }
  return adminUrl;
});
/** PostgreSQL copies a template for one at a time. */
let copying: Promise<unknown> = Promise.resolve();

/** A mesh's own names, streams and database on the shared servers. */
export interface TestPlace extends AsyncDisposable {
  settings: Settings;
  names: Names;
}

/** A fresh place with a migrated, empty database. `overrides` are settings by their `LEADS_` names. */
export async function testPlace(overrides: Record<string, string> = {}): Promise<TestPlace> {
  const { natsUrl, redisUrl } = await servers();
  const adminUrl = await migratedTemplate();
  const prefix = `t${randomBytes(4).toString("hex")}`;
  const copy = copying.then(() => createDatabase(adminUrl, prefix, template));
  copying = copy.catch(() => {});
  const databaseUrl = await copy;
  const settings = loadSettings({
    LEADS_PREFIX: prefix,
    LEADS_NATS_URL: natsUrl,
    LEADS_REDIS_URL: redisUrl,
    LEADS_DATABASE_URL: databaseUrl,
    LEADS_LOG_LEVEL: process.env.TEST_LOG ?? "fatal",
    LEADS_HTTP_PORT: "0",
    LEADS_METRICS_CLUSTER_PORT: "0",
    ...overrides,
  });
  const untrack = trackLeak("a test place");
  return {
    settings,
    names: namesFor(settings.prefix),
    async [Symbol.asyncDispose]() {
      untrack();
      await Promise.all([deleteStreams(settings, natsUrl), dropDatabase(adminUrl, prefix)]);
    },
  };
}

/** Settings like these, with others by their `LEADS_` names. */
export function withSettings(settings: Settings, env: Record<string, string>): Settings {
  return loadSettings({ ...environmentOf(settings), ...env });
}

async function deleteStreams(settings: Settings, natsUrl: string): Promise<void> {
  // By the shared server's own address: the place's may have been pointed at one that is dead by now.
  const nc = await connectNats({ ...settings, natsUrl }, "cleaner");
  try {
    const jsm = await nc.jetstreamManager();
    for await (const stream of jsm.streams.names()) {
      if (new RegExp(`^(KV_|OBJ_)?${settings.prefix}-`).test(stream)) await jsm.streams.delete(stream);
    }
  } finally {
    await nc.close();
  }
}

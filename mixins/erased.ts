import type { KV, NatsConnection } from "nats";
import type { Names } from "../config/names.ts";
import { outage } from "./errors.ts";
import { WatchedBucket } from "./watched-bucket.ts";

/**
 * Who was erased, in the memory of every process that has leads in hand: marks (ids of leads, hashes of contacts) of
 * erasures of the last thirty days. It stands in JetStream, so whoever can publish a lead can hear of it. It stops
 * what is on its way; what comes later is stopped by the tombstones in PostgreSQL.
 */
export class Erased {
  readonly #bucket: WatchedBucket<true>;

  constructor(names: Names, report: (fault: string) => void) {
    this.#bucket = new WatchedBucket(names.bucket.erased, () => true, report);
  }

  get ready(): Promise<void> {
    return this.#bucket.ready;
  }

  run(nc: NatsConnection): Promise<void> {
    return this.#bucket.run(nc);
  }

  stop(): void {
    this.#bucket.stop();
  }

  has(tenant: string, mark: string): boolean {
    return this.#bucket.size > 0 && this.#bucket.get(keyOf(tenant, mark)) !== undefined;
  }

  /** Is one of these marks known? They are made only when there are any at all. */
  hasAny(tenant: string, marks: () => readonly string[]): boolean {
    return this.#bucket.size > 0 && marks().some((mark) => this.has(tenant, mark));
  }
}

/** Watches once somebody asks, for all who ask. The bucket must be there, or come (`ensureShared`). */
export function erasedWatch(nats: () => Promise<NatsConnection>, names: Names, report: (fault: string) => void) {
  let erased: Erased | undefined;
  return {
    async get(): Promise<Erased> {
      const nc = await nats();
      if (!erased) {
        erased = new Erased(names, report);
        void erased.run(nc);
      }
      await erased.ready;
      return erased;
    },
    stop: () => erased?.stop(),
  };
}

const keyOf = (tenant: string, mark: string) => `${tenant}.${mark}`;

/** Tells all processes of marks. Throws `OUTAGE` of nats. */
export async function tellErased(
  nc: NatsConnection,
  names: Names,
  tenant: string,
  marks: readonly string[],
): Promise<void> {
  await each(nc, names, marks, (kv, mark) => kv.put(keyOf(tenant, mark), ""));
}

/** Takes marks back. Throws `OUTAGE` of nats. */
export async function untellErased(
  nc: NatsConnection,
  names: Names,
  tenant: string,
  marks: readonly string[],
): Promise<void> {
  await each(nc, names, marks, (kv, mark) => kv.delete(keyOf(tenant, mark)));
}

/** How long NATS may take to answer before it is said to be down. */
const patienceMs = 2_000;

async function each(
  nc: NatsConnection,
  names: Names,
  marks: readonly string[],
  run: (kv: KV, mark: string) => Promise<unknown>,
): Promise<void> {
  try {
    const kv = await nc.jetstream({ timeout: patienceMs }).views.kv(names.bucket.erased, { bindOnly: true });
    await Promise.all(marks.map((mark) => run(kv, mark)));
  } catch (error) {
    throw outage("nats", error);
  }
}

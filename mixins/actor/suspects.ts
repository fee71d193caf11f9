import type { KV, NatsConnection } from "nats";
import { headers, type Names } from "../../config/names.ts";
import type { EnvelopeItem, Route } from "./envelope.ts";
import { parkEnvelopes } from "./mover.ts";
import type { Item } from "./outcome.ts";
import type { Publisher, PublishOptions } from "./publisher.ts";

interface Place {
  names: Names;
  stage: { name: string };
  publisher: Publisher;
}

/** Publishes the leads of an envelope that may have killed its worker one by one, each to be handled alone. */
export async function cutIntoSingles<T extends Item>(
  { names, stage, publisher }: Place,
  { route, items }: { route: Route; items: readonly EnvelopeItem<T>[] },
  seq: number,
  options: PublishOptions,
): Promise<void> {
  // By way of the park: its own mailbox may be full, and nobody would empty it meanwhile.
  const parked = items.map((item) => ({ item, until: Date.now(), seq }));
  await Promise.all(
    parkEnvelopes(names, stage.name, route, parked, 1).map(({ subject, envelope }) => {
      envelope.headers.set(headers.suspect, "1");
      return publisher.publish(subject, envelope.data, envelope.headers, options);
    }),
  );
}

/** How many workers died over an envelope that they handled alone: noted before, as afterwards nobody is there to tell. */
export class Deaths {
  readonly count: number;
  readonly #kv: KV;
  readonly #key: string;

  private constructor(kv: KV, key: string, count: number) {
    this.#kv = kv;
    this.#key = key;
    this.count = count;
  }

  static async of(nc: NatsConnection, names: Names, envelope: string): Promise<Deaths> {
    const kv = await nc.jetstream().views.kv(names.bucket.control, { bindOnly: true });
    const key = `suspect.${envelope}`;
    const entry = await kv.get(key);
    return new Deaths(kv, key, entry?.operation === "PUT" ? Number(entry.string()) : 0);
  }

  async add(): Promise<void> {
    await this.#kv.put(this.#key, String(this.count + 1));
  }

  async forget(): Promise<void> {
    await this.#kv.delete(this.#key);
  }
}

import type { NatsConnection, ObjectStore as View } from "nats";
import { outage } from "./errors.ts";

/** Things too large for a message, in a JetStream object store that `ensureShared` has made. Throws the `OUTAGE` of nats. */
export class ObjectStore {
  readonly #nats: () => Promise<NatsConnection>;
  readonly #name: string;

  constructor(nats: () => Promise<NatsConnection>, name: string) {
    this.#nats = nats;
    this.#name = name;
  }

  /** Puts it in the place of what stood under this key. The mark outlives its removal: it tells of nobody. */
  async put(key: string, bytes: Uint8Array, mark = ""): Promise<void> {
    await this.#use((store) => store.putBlob({ name: key, description: mark }, bytes));
  }

  /** When it was put there (ms since 1970), and with which mark; null where there is none. */
  async about(key: string): Promise<{ at: number; mark: string } | null> {
    const info = await this.#use((store) => store.info(key));
    if (info === null || info.deleted) return null;
    return { at: Date.parse(info.mtime), mark: info.description ?? "" };
  }

  /** null where there is none, or none any more. */
  get(key: string): Promise<Uint8Array | null> {
    return this.#use((store) => store.getBlob(key));
  }

  /** Takes it away, and says whether there was one. */
  remove(key: string): Promise<boolean> {
    return this.#use(async (store) => {
      const info = await store.info(key);
      if (info === null || info.deleted) return false;
      return (await store.delete(key)).success;
    });
  }

  /** Is there room for so many bytes more? */
  async hasRoom(bytes: number): Promise<boolean> {
    const { size, streamInfo } = await this.#use((store) => store.status());
    return streamInfo.config.max_bytes < 0 || size + bytes <= streamInfo.config.max_bytes;
  }

  async #use<T>(work: (store: View) => Promise<T>): Promise<T> {
    try {
      return await work(await (await this.#nats()).jetstream().views.os(this.#name));
    } catch (error) {
      throw outage("nats", error);
    }
  }
}

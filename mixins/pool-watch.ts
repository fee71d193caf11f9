import type { ServiceBroker } from "moleculer";
import type { PoolState } from "./knex.ts";

/** Event by which a process says that its database pool is used up, again while it stays so, and that it no longer is. */
export const poolEvent = "pool.state";

export interface PoolNews {
  nodeID: string;
  database: string;
  /** Connections that the pool opens at the most. */
  limit: number;
  /** Who waits for one. */
  waiting: number;
  /** Since when nobody was given one, ms since 1970; null: they are again. */
  since: number | null;
}

/** Who waits for so long finds no connection: the pool is used up, ms. Shorter waits are the pool at its work. */
const usedUpAfterMs = 2_000;
const lookEveryMs = 1_000;
/** Who has not said so again for so long has ended, ms. */
const newsLastMs = 5_000;

/** Tells the mesh when this process's pools are used up; while none is, nothing is sent. */
export class PoolTeller {
  readonly #broker: ServiceBroker;
  readonly #pools: () => PoolState[];
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(broker: ServiceBroker, pools: () => PoolState[]) {
    this.#broker = broker;
    this.#pools = pools;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(Date.now()), lookEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(now: number): void {
    for (const { name: database, limit, waiting, waitingSince } of this.#pools()) {
      const since = waitingSince !== null && now - waitingSince >= usedUpAfterMs ? waitingSince : null;
      if (since === null && !this.#told.delete(database)) continue;
      if (since !== null && !this.#told.has(database)) {
        this.#told.add(database);
        this.#broker.logger.warn("the database pool is used up", { database, limit, waiting });
      }
      const news: PoolNews = { nodeID: this.#broker.nodeID, database, limit, waiting, since };
      this.#broker.broadcast(poolEvent, news);
    }
  }
}

/** A pool that is used up. */
export type UsedUp = PoolNews & { since: number };

/** Remembers which processes' pools are used up, of what they said. */
export class PoolWatch {
  readonly #news = new Map<string, UsedUp & { heardAt: number }>();

  hear(news: PoolNews, now: number): void {
    const key = `${news.nodeID} ${news.database}`;
    const { since } = news;
    if (since === null) this.#news.delete(key);
    else this.#news.set(key, { ...news, since, heardAt: now });
  }

  forget(nodeID: string): void {
    for (const [key, news] of this.#news) if (news.nodeID === nodeID) this.#news.delete(key);
  }

  usedUp(now: number): UsedUp[] {
    return [...this.#news.values()].filter(({ heardAt }) => now - heardAt <= newsLastMs);
  }
}

/** The same in words, without a host's or a node's name. */
export function poolText({ limit, waiting, since }: UsedUp, now: number): string {
  const seconds = Math.round((now - since) / 1_000);
  return `the database pool is used up: all ${limit} connections are taken, ${waiting} wait for one, nobody was given one for ${seconds} s`;
}

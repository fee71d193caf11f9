import type { Knex } from "knex";
import type { Databases } from "./knex.ts";

/** Takes away at most `limit` rows whose days are over; answers how many. */
export type Sweep = (knex: Knex, limit: number) => Promise<number>;

export interface SweeperOptions {
  databases: Databases;
  sweeps: readonly Sweep[];
  /** How often it looks, ms. */
  everyMs: number;
  /** The database could not be asked. */
  onFault(error: Error): void;
}

/** Rows a statement takes away: a few milliseconds' locks. */
const batch = 1_000;

/** Takes rows away whose days are over, in bounded portions. Any number of them may run. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<unknown> | undefined;
  #stopping = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    const look = () => {
      this.#looking ??= this.look()
        .catch(this.#options.onFault)
        .finally(() => {
          this.#looking = undefined;
        });
    };
    look();
    this.#timer = setInterval(look, this.#options.everyMs);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** One look at every database; answers how many went. */
  async look(): Promise<number> {
    const { databases, sweeps } = this.#options;
    let gone = 0;
    for (const { knex } of databases.all()) {
      for (const sweep of sweeps)
        for (let count = batch; count === batch && !this.#stopping; gone += count) count = await sweep(knex, batch);
    }
    return gone;
  }
}

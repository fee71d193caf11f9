import type { Databases } from "../../mixins/knex.ts";
import { sweepRaw } from "../leads/raw.sql.ts";

export interface RawSweeperOptions {
  databases: Databases;
  /** What is older goes; 0: all of it, for nothing new is kept either. */
  days: number;
  /** How often it looks, ms. */
  everyMs: number;
  /** The database could not be asked. */
  onFault(error: Error): void;
}

/** Rows a statement takes away: a few milliseconds' locks. */
const batch = 1_000;

/** Takes away what providers told of listings when its days are over. Any number of them may run. */
export class RawSweeper {
  readonly #options: RawSweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<unknown> | undefined;
  #stopping = false;

  constructor(options: RawSweeperOptions) {
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
    const { databases, days } = this.#options;
    let gone = 0;
    for (const { knex } of databases.all()) {
      for (let count = batch; count === batch && !this.#stopping; gone += count)
        count = await sweepRaw(knex, days, batch);
    }
    return gone;
  }
}

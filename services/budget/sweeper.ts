import type { Knex } from "knex";
import type { Databases } from "../../mixins/knex.ts";
import { type Closed, close, type Expired, expired } from "./closings.sql.ts";

export interface SweeperOptions {
  databases: Databases;
  /** How often it looks, ms. */
  everyMs: number;
  /** What the provider says an effect did cost, micro-USD (0: it never happened); null where it cannot tell. */
  fate(effect: Expired): Promise<number | null>;
  /** A reservation whose holder had died was closed, at this cost. */
  onFound(effect: Expired, closed: Closed, by: "provider" | "presumption"): void;
  /** The database could not be asked. */
  onFault(error: Error): void;
}

/** Reservations that are taken in hand at once; a look goes on until there are no more. */
const batch = 100;

/**
 * Finds the reservations of holders that died, and closes them by what the provider says or, where it cannot tell, as
 * spent. Any number of them may run: whoever closes first has closed it.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.look()
        .catch(this.#options.onFault)
        .finally(() => {
          this.#looking = undefined;
        });
    }, this.#options.everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** One look at every database. */
  async look(): Promise<void> {
    const { databases } = this.#options;
    for (const { knex } of databases.all()) {
      for (let goesOn = true; goesOn; ) {
        const found = await expired(knex, batch);
        // Where none could be closed the same would be found again, at once and for ever.
        goesOn = (await this.#close(knex, found)) > 0 && found.length === batch;
      }
    }
  }

  /** Returns how many it has closed. */
  async #close(knex: Knex, found: readonly Expired[]): Promise<number> {
    const { fate, onFound } = this.#options;
    const closings = await Promise.all(
      found.map(async (effect) => {
        const costMicro = await fate(effect);
        const { tenant, effectKey, reservation } = effect;
        const by = costMicro === null ? "presumption" : "provider";
        const state = costMicro === null ? "presumed" : costMicro === 0 ? "released" : "settled";
        const closing = { effectKey, reservation, state, costMicro, by, answer: undefined } as const;
        const closed = (await close(knex, tenant, [closing]))[0]!;
        if (closed.changed) onFound(effect, closed, by);
        return closed.changed;
      }),
    );
    return closings.filter((changed) => changed).length;
  }
}

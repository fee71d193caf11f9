import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import { type Databases, statement, transaction } from "../../mixins/knex.ts";
import { countNoted, tidyNotes } from "./count.sql.ts";
import { type Look, type PaceOptions, paceAfter } from "./pace.ts";

export interface CounterOptions extends PaceOptions {
  databases: Databases;
  /** The database could not be asked, or refused. Told once, until it is well again. */
  onFault(error: Error): void;
}

/** Notes taken away before their room is given to new ones. */
const tidyAfter = 20_000;

/**
 * Counts the leads that are noted, batch by batch. Any number of them may run: one counts, the others find it at work. A
 * kill between two batches loses nothing, as a batch is one transaction.
 */
export class Counter {
  readonly #options: CounterOptions;
  readonly #leaving = new AbortController();
  /** Notes taken away since the last tidying, by database. */
  readonly #taken = new Map<Knex, number>();
  #batch: number;
  #running: Promise<void> | undefined;
  #fault = "";

  constructor(options: CounterOptions) {
    this.#options = options;
    this.#batch = options.batch;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#leaving.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#leaving;
    let restedMs = this.#options.everyMs;
    while (!signal.aborted) {
      const since = performance.now();
      const took = await this.#look();
      const look = { ...took, batch: this.#batch, restedMs, spentMs: performance.now() - since };
      const { restMs, batch } = paceAfter(look, this.#options);
      this.#batch = batch;
      restedMs = restMs;
      await delay(restMs, undefined, { signal }).catch(() => {});
    }
  }

  /** One batch of every database. Answers how many notes were taken, the most of one, and whether it failed. */
  async #look(): Promise<Pick<Look, "taken" | "failed">> {
    let most = 0;
    try {
      for (const { knex } of this.#options.databases.all()) {
        const taken = await transaction(knex, (trx) => countNoted(trx, this.#batch));
        if (taken === null) continue;
        most = Math.max(most, taken);
        await this.#tidy(knex, taken);
      }
      this.#fault = "";
      return { taken: most, failed: false };
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#fault) this.#options.onFault(error as Error);
      this.#fault = message;
      return { taken: most, failed: true };
    }
  }

  async #tidy(knex: Knex, taken: number): Promise<void> {
    const since = (this.#taken.get(knex) ?? 0) + taken;
    this.#taken.set(knex, since < tidyAfter ? since : 0);
    if (since >= tidyAfter) await statement(() => tidyNotes(knex));
  }
}

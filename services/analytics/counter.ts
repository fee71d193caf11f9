import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import { type Databases, statement, transaction } from "../../mixins/knex.ts";
import { countNoted, tidyNotes } from "./count.sql.ts";

export interface CounterOptions {
  databases: Databases;
  /** How long it rests when all is counted, ms: how old figures are at the most. */
  everyMs: number;
  /** Notes that are counted in one transaction. */
  batch: number;
  /** The database could not be asked, or refused. Told once, until it is well again. */
  onFault(error: Error): void;
}

/** Behind, it rests three times as long as it counted: a quarter of one core is what it may cost the stages. */
const restShare = 3;
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
  #running: Promise<void> | undefined;
  #fault = "";

  constructor(options: CounterOptions) {
    this.#options = options;
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
    while (!signal.aborted) {
      const since = performance.now();
      const isBehind = await this.look();
      const restMs = isBehind ? restShare * (performance.now() - since) : this.#options.everyMs;
      await delay(restMs, undefined, { signal }).catch(() => {});
    }
  }

  /** One batch of every database. Answers whether there is more to do at once. */
  async look(): Promise<boolean> {
    let isBehind = false;
    try {
      for (const { knex } of this.#options.databases.all()) {
        const taken = await transaction(knex, (trx) => countNoted(trx, this.#options.batch));
        if (taken === null) continue;
        isBehind ||= taken >= this.#options.batch;
        await this.#tidy(knex, taken);
      }
      this.#fault = "";
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#fault) this.#options.onFault(error as Error);
      this.#fault = message;
    }
    return isBehind;
  }

  async #tidy(knex: Knex, taken: number): Promise<void> {
    const since = (this.#taken.get(knex) ?? 0) + taken;
    this.#taken.set(knex, since < tidyAfter ? since : 0);
    if (since >= tidyAfter) await statement(() => tidyNotes(knex));
  }
}

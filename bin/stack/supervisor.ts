import { setTimeout as delay } from "node:timers/promises";

/** Something that runs, ends one day, and can be started again. */
export interface Supervised {
  name: string;
  start(): Promise<void>;
  /** Resolves when what was started last has ended. */
  ended(): Promise<unknown>;
}

const firstWaitMs = 500;
const longestWaitMs = 30_000;
/** One that ran for so long begins again with the first wait. */
const settledMs = 60_000;

/** Starts again what dies, each with a backoff of its own, until it is told to rest. */
export class Supervisor {
  readonly #say: (line: string) => void;
  readonly #resting = new AbortController();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Watches one that has been started. */
  async watch(one: Supervised): Promise<void> {
    for (let waitMs = firstWaitMs; ; ) {
      const began = performance.now();
      await one.ended();
      if (this.#resting.signal.aborted) return;
      if (performance.now() - began > settledMs) waitMs = firstWaitMs;
      this.#say(`${one.name} has ended; starting it again in ${waitMs / 1_000} s`);
      await delay(waitMs, undefined, { signal: this.#resting.signal }).catch(() => {});
      if (this.#resting.signal.aborted) return;
      waitMs = Math.min(waitMs * 2, longestWaitMs);
      try {
        await one.start();
      } catch (error) {
        this.#say(`${one.name} did not start: ${(error as Error).message}`);
      }
    }
  }

  /** From now on what ends has ended. */
  rest(): void {
    this.#resting.abort();
  }
}

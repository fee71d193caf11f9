/**
 * An outage is not a poison message: while a dependency is down the stage's batches wait here with what they hold, one
 * of them at a time looks whether it is back, and no lead's retries burn.
 */

export interface OutageState {
  dependency: string;
  /** ms since 1970 */
  since: number;
  message: string;
}

export interface GateOptions {
  probeMinMs: number;
  probeMaxMs: number;
  signal: AbortSignal;
  /** Called when an outage begins (its state) and when it ends (null). */
  onChange(state: OutageState | null): void;
  /** Looks whether the dependency is back; absent: the waiting batch itself is the look. */
  probe(dependency: string): (() => Promise<unknown>) | undefined;
}

/** A batch that meets the same outage this often right after its dependency answered a probe is the fault itself. */
const suspicious = 3;

/** Does this error say that a dependency is down, rather than that a lead is bad? Looks at fields only: classes do not survive the wire. */
export function isOutage(error: unknown): boolean {
  const { type } = (error ?? {}) as { type?: string };
  return type !== undefined && outageTypes.has(type);
}

/** Ours, and what Moleculer says of a service that is not there, is overloaded, or whose circuit is open. */
const outageTypes = new Set([
  "OUTAGE",
  "SERVICE_NOT_FOUND",
  "SERVICE_NOT_AVAILABLE",
  "REQUEST_TIMEOUT",
  "REQUEST_REJECTED",
  "REQUEST_SKIPPED",
  "QUEUE_FULL",
  "MAX_CALL_LEVEL",
]);

function dependencyOf(error: unknown): string {
  const { data } = error as { data?: { dependency?: string; action?: string } };
  return data?.dependency ?? data?.action ?? "unknown";
}

export class OutageGate {
  readonly #options: GateOptions;
  #state: OutageState | null = null;
  #probing = false;
  #attempt = 0;
  #waiters: (() => void)[] = [];

  constructor(options: GateOptions) {
    this.#options = options;
  }

  get state(): OutageState | null {
    return this.#state;
  }

  /** Runs `work`, again and again through an outage. Throws what is no outage, and the signal's reason. */
  async through<T>(work: () => Promise<T>): Promise<T> {
    let afterProbe = 0;
    for (;;) {
      const probed = await this.#turn();
      try {
        const result = await work();
        this.#end();
        return result;
      } catch (error) {
        if (!isOutage(error)) {
          // It got far enough to fail on its own account: the dependency answers.
          this.#end();
          throw error;
        }
        if (probed) afterProbe++;
        if (afterProbe >= suspicious) {
          this.#end();
          throw new Error(`${dependencyOf(error)} answers its probe, but not this batch: ${(error as Error).message}`, {
            cause: error,
          });
        }
        this.#begin(error);
      } finally {
        if (probed !== undefined) this.#release();
      }
    }
  }

  /** Waits while there is an outage. Answers true/false to the one whose turn it is to look (was there a probe that succeeded?). */
  async #turn(): Promise<boolean | undefined> {
    const { signal } = this.#options;
    while (this.#state) {
      signal.throwIfAborted();
      if (this.#probing) {
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
        continue;
      }
      this.#probing = true;
      try {
        return await this.#probe();
      } catch (error) {
        this.#release();
        throw error;
      }
    }
    return undefined;
  }

  async #probe(): Promise<boolean> {
    const { probeMinMs, probeMaxMs, signal } = this.#options;
    for (;;) {
      const wait = Math.min(probeMaxMs, probeMinMs * 2 ** Math.min(this.#attempt++, 20));
      await sleep(wait / 2 + (Math.random() * wait) / 2, signal);
      const probe = this.#state && this.#options.probe(this.#state.dependency);
      if (!probe) return false;
      try {
        await probe();
        return true;
      } catch {
        // Still down; look again later.
      }
    }
  }

  #begin(error: unknown): void {
    if (this.#state) return;
    this.#state = { dependency: dependencyOf(error), since: Date.now(), message: (error as Error).message };
    this.#options.onChange(this.#state);
  }

  #end(): void {
    if (!this.#state) return;
    this.#state = null;
    this.#attempt = 0;
    this.#options.onChange(null);
  }

  #release(): void {
    this.#probing = false;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** Resolves after `ms`; rejects with the signal's reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

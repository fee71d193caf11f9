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

/** How often a batch meets an outage that is none for others before it is the fault itself. */
export const patience = 3;

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
]);

function dependencyOf(error: unknown): string {
  const { data } = error as { data?: { dependency?: string; action?: string } };
  return data?.dependency ?? data?.action ?? "unknown";
}

/** What the work is a part of: a pass through the handler says nothing about what the checkpoint needs. */
export type Step = "handle" | "checkpoint";

export class OutageGate {
  readonly #options: GateOptions;
  #state: OutageState | null = null;
  /** Where the outage was met. */
  #step: Step = "handle";
  /** Settled when the outage is over. */
  #over = Promise.withResolvers<void>();
  /** Someone looks; the others wait in line, and are told whether the look is theirs now. */
  #looking = false;
  #line: ((yours: boolean) => void)[] = [];
  /** Looks so far. */
  #looks = 0;
  /** Looks that found the dependency well, since the start. */
  readonly #passed: Record<Step, number> = { handle: 0, checkpoint: 0 };

  constructor(options: GateOptions) {
    this.#options = options;
  }

  get state(): OutageState | null {
    return this.#state;
  }

  /**
   * Runs `work`, again and again through an outage, in turns with the others that wait. Throws what is no outage, the
   * signal's reason, and an outage that is only its own: its dependency answered a probe, or the same step of another
   * batch, `tolerance` times, and then this work failed all the same.
   */
  async through<T>(step: Step, work: () => Promise<T>, tolerance = patience): Promise<T> {
    let own = 0;
    let passedBefore: number | undefined;
    for (;;) {
      const look = await this.#turn();
      try {
        const result = await work();
        if (look && (look.probed || this.#step === step)) {
          this.#passed[step]++;
          this.#end();
        }
        return result;
      } catch (error) {
        if (!isOutage(error)) {
          // It got far enough to fail on its own account.
          if (look) this.#end();
          throw error;
        }
        const othersPass = passedBefore !== undefined && this.#passed[step] > passedBefore;
        passedBefore = this.#passed[step];
        if (othersPass || look?.probed === dependencyOf(error)) own++;
        if (own >= tolerance) {
          if (look) this.#end();
          throw error;
        }
        this.#begin(step, error);
      } finally {
        if (look) this.#release();
      }
    }
  }

  /** Waits while there is an outage. Gives the one whose turn it is to look the dependency that answered its probe, if any. */
  async #turn(): Promise<{ probed: string | null } | null> {
    while (this.#state) {
      this.#options.signal.throwIfAborted();
      if (this.#looking && !(await new Promise<boolean>((resolve) => this.#line.push(resolve)))) continue;
      this.#looking = true;
      try {
        return { probed: await this.#probe() };
      } catch (error) {
        this.#release();
        throw error;
      }
    }
    return null;
  }

  /** Waits for the moment to look, and for the dependency's probe to succeed where it has one. */
  async #probe(): Promise<string | null> {
    const { probeMinMs, probeMaxMs, signal } = this.#options;
    for (;;) {
      const ms = Math.min(probeMaxMs, probeMinMs * 2 ** Math.min(this.#looks++, 20));
      await Promise.race([sleep(ms / 2 + (Math.random() * ms) / 2, signal), this.#over.promise]);
      signal.throwIfAborted();
      const dependency = this.#state?.dependency;
      const probe = dependency && this.#options.probe(dependency);
      if (!probe) return null;
      try {
        await probe();
        return dependency;
      } catch {
        // Still down; look again later.
      }
    }
  }

  #begin(step: Step, error: unknown): void {
    const dependency = dependencyOf(error);
    if (this.#state?.dependency === dependency) return;
    this.#step = step;
    this.#state = { dependency, since: Date.now(), message: (error as Error).message };
    this.#options.onChange(this.#state);
  }

  #end(): void {
    if (!this.#state) return;
    this.#state = null;
    this.#looks = 0;
    this.#over.resolve();
    this.#over = Promise.withResolvers();
    this.#options.onChange(null);
    for (const wake of this.#line.splice(0)) wake(false);
  }

  /** Hands the look to the next in line, so that a batch which fails alone does not keep it. */
  #release(): void {
    const next = this.#line.shift();
    if (next) next(true);
    else this.#looking = false;
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

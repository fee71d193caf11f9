import { isOutage } from "./actor/outage.ts";
import { currentScope, onNobodysBehalf, type Scope, withinAll } from "./trace/scope.ts";

export interface GathererOptions<T, R> {
  /** One answer an item, in order; undefined: it is asked again, before all others. */
  run(items: readonly T[]): Promise<(R | undefined)[]>;
  /** Two of one name never go into one batch: the later one is to see what became of the first. */
  nameOf(item: T): string;
  /** Items of a batch at the most. */
  most: number;
}

interface Waiting<T, R> {
  item: T;
  scope: Scope | undefined;
  resolve(answer: R): void;
  reject(error: unknown): void;
}

/**
 * Group commit: what is asked under one key while a batch of that key is under way goes together into the next one. Who
 * comes alone waits for nobody, and there is no timer: the more are asked at once, the larger the batches.
 */
export class Gatherer<T, R> {
  readonly #options: GathererOptions<T, R>;
  /** Of each key that is at work. */
  readonly #waiting = new Map<string, Waiting<T, R>[]>();

  constructor(options: GathererOptions<T, R>) {
    this.#options = options;
  }

  ask(key: string, item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      const one = { item, scope: currentScope(), resolve, reject };
      const waiting = this.#waiting.get(key);
      if (waiting) waiting.push(one);
      else {
        this.#waiting.set(key, [one]);
        void onNobodysBehalf(() => this.#work(key));
      }
    });
  }

  async #work(key: string): Promise<void> {
    for (;;) {
      const waiting = this.#waiting.get(key)!;
      if (waiting.length === 0) break;
      const [batch, later] = this.#split(waiting);
      this.#waiting.set(key, later);
      const again = await this.#settle(batch);
      later.unshift(...again);
    }
    this.#waiting.delete(key);
  }

  #split(waiting: readonly Waiting<T, R>[]): [batch: Waiting<T, R>[], later: Waiting<T, R>[]] {
    const { most, nameOf } = this.#options;
    const names = new Set<string>();
    const batch: Waiting<T, R>[] = [];
    const later: Waiting<T, R>[] = [];
    for (const one of waiting) {
      const name = nameOf(one.item);
      if (batch.length < most && !names.has(name)) batch.push(one);
      else later.push(one);
      names.add(name);
    }
    return [batch, later];
  }

  /** Answers a batch; returns who is to be asked again. What one item alone is to blame for does not reach the others. */
  async #settle(batch: readonly Waiting<T, R>[]): Promise<Waiting<T, R>[]> {
    try {
      const scopes = batch.flatMap(({ scope }) => (scope ? [scope] : []));
      const answers = await withinAll(scopes, () => this.#options.run(batch.map(({ item }) => item)));
      return batch.filter(({ resolve }, n) => {
        const answer = answers[n];
        if (answer !== undefined) resolve(answer);
        return answer === undefined;
      });
    } catch (error) {
      if (batch.length === 1 || isOutage(error)) {
        for (const { reject } of batch) reject(error);
        return [];
      }
      const again: Waiting<T, R>[] = [];
      for (const one of batch) again.push(...(await this.#settle([one])));
      return again;
    }
  }
}

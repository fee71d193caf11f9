import type { Service } from "moleculer";
import type { Item, Outcome, Verdict, Work } from "./actor/outcome.ts";
import type { Mixin } from "./schema.ts";

export interface ActorOptions<T extends Item> {
  /** The stage's name in config/pipeline.ts. */
  stage: string;
  /**
   * The stage's work: one outcome for each item, in the same order. Called with up to `batchLeads` items.
   * Throwing means the whole batch failed: an outage (`isOutage`) pauses the stage; anything else splits the batch
   * in halves until the culprit stands alone.
   */
  handle(this: Service, batch: Work<T>[]): Promise<Outcome<T>[]> | Outcome<T>[];
  /**
   * Writes verdicts (forward, complete, merge, reject) to the record before their successors are published and their
   * messages acknowledged. Must be idempotent. A stage that completes, merges or rejects must have one.
   */
  checkpoint?(this: Service, stage: string, verdicts: Verdict<T>[]): Promise<void>;
  /** Looks whether a dependency is back, by the name its outage error carries (`data.dependency`). */
  probes?: Record<string, (this: Service) => Promise<unknown>>;
}

/** Makes a service the actor of a stage. */
export function actor<T extends Item>(_options: ActorOptions<T>): Mixin<{}> {
  throw new Error("being written");
}

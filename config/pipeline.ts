import { type RetryPolicy, retryPolicies } from "./retry.ts";

/** How a stage's actor reads its mailbox. */
export interface StageOptions {
  /** Leads a handler batch holds at the most. Larger: fewer statements a lead, more latency and a larger unit of repeat. */
  batchLeads: number;
  /**
   * Leads a bulk batch holds at the most while no live lead has come for `quietAfterMs`; 0, or fewer than `batchLeads`: as
   * ever. For stages that write: a batch costs them nearly the same, however many leads share it.
   */
  quietBatchLeads: number;
  /**
   * How long after the last live lead a stage is quiet, looked at once a second. Longer: who sends one now and then is less
   * often the one who meets large batches.
   */
  quietAfterMs: number;
  /** How long a bulk batch waits for more leads before it is handled as it is. A live batch never waits. */
  lingerMs: number;
  /** Bulk batches in work at once in one instance. */
  concurrency: number;
  /**
   * Batches of both lanes in work at once; one more than `concurrency` at the least, so that `live` finds a place. A live
   * lead has a batch of its own where one is free: a stage that waits on others wants many.
   */
  places: number;
  /** An envelope not acknowledged, and not heart-beaten, for this long is delivered again. */
  ackWaitMs: number;
  /** Envelopes a lane of the mailbox holds before publishers are pushed back. */
  maxEnvelopes: number;
  retry: RetryPolicy;
}

export interface StageConfig extends Partial<StageOptions> {
  name: string;
}

export const stageDefaults: StageOptions = {
  batchLeads: 100,
  quietBatchLeads: 0,
  quietAfterMs: 60_000,
  lingerMs: 10,
  concurrency: 2,
  places: 3,
  ackWaitMs: 30_000,
  maxEnvelopes: 20_000,
  retry: retryPolicies.standard,
};

/**
 * THE FLOW. A lead passes these stages in this order; the last one completes it.
 * To add a stage: one line here, one service in services/ that uses the actor mixin under the same name.
 */
export const pipeline: readonly StageConfig[] = [
  // Waits on other people's web sites: a batch takes as long as its slowest site, so that many are at work at once.
  { name: "enrich", batchLeads: 50, concurrency: 40, places: 120, retry: retryPolicies.provider },
  { name: "dedupe", quietBatchLeads: 250 },
  { name: "score", quietBatchLeads: 250 },
  // A lead whose words come from a language model takes its batch ten seconds and more: the others find a place beside it.
  { name: "mockup", batchLeads: 50, concurrency: 40, places: 120, retry: retryPolicies.provider },
  { name: "email", quietBatchLeads: 250 },
];

/** Stages with a mailbox of their own beside the flow: their items are not leads. */
export const sideStages: readonly StageConfig[] = [
  // A long item is heart-beaten all the while; behind a worker that died it is not to be waited for.
  { name: "source", batchLeads: 1, concurrency: 2, ackWaitMs: 10_000 },
];

/** The stage after `name` in `flow`, or null for the last. Throws for a stage that is not in it. */
export function nextStage(name: string, flow: readonly { name: string }[] = pipeline): string | null {
  const at = flow.findIndex((stage) => stage.name === name);
  if (at < 0) throw new Error(`stage "${name}" is not in the pipeline (${flow.map((s) => s.name).join(" -> ")})`);
  return flow[at + 1]?.name ?? null;
}

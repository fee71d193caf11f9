/** What one instance of a stage has done since it started. Counts of leads unless said otherwise. */
export interface StageStats {
  batches: number;
  forward: number;
  complete: number;
  merge: number;
  reject: number;
  retry: number;
  wait: number;
  /** Their person was erased while they were on their way. */
  drop: number;
  dead: number;
  /** Messages that were no envelope. */
  foreign: number;
  /** Envelopes delivered, and those of them that JetStream had delivered before. */
  delivered: number;
  redelivered: number;
  /** Milliseconds that batches took, summed. */
  workedMs: number;
}

export function newStats(): StageStats {
  return {
    batches: 0,
    forward: 0,
    complete: 0,
    merge: 0,
    reject: 0,
    retry: 0,
    wait: 0,
    drop: 0,
    dead: 0,
    foreign: 0,
    delivered: 0,
    redelivered: 0,
    workedMs: 0,
  };
}

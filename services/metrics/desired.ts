/** What the scaling law is asked with. */
export interface Law {
  /** Leads that come in a second. */
  arrival: number;
  /** Leads that one busy instance completes in a second; above 0. */
  mu: number;
  /** Leads that wait or are out, by lane, and in what time they should be gone. Parked leads are none of them. */
  backlogs: readonly { leads: number; goalSeconds: number }[];
}

/** Instances by the law, before any limit: `ceil(arrival / mu + sum of backlog / (mu x T_drain))`. */
export function desired({ arrival, mu, backlogs }: Law): number {
  const toDrain = backlogs.reduce((sum, { leads, goalSeconds }) => sum + leads / (mu * goalSeconds), 0);
  // What is a whole number but for the last bits of its fractions is that number.
  return Math.max(0, Math.ceil(arrival / mu + toDrain - 1e-9));
}

export interface Standing {
  instances: number;
  /** Paused, or in an outage: more instances would wait with the others. */
  held: boolean;
}

/** What is really wanted: within the limits, and no more than there are where more would not help. */
export function within(
  count: number,
  { min, max }: { min: number; max: number },
  { instances, held }: Standing,
): number {
  const wanted = Math.min(max, Math.max(min, count));
  return held ? Math.min(wanted, Math.max(min, instances)) : wanted;
}

/** Where the signs that are only compared with would keep things: shares of a core and of memory, seconds of a batch. */
export const signGoals = { cpu: 0.7, memory: 0.8, batch_p95: 5 } as const;
export type Sign = keyof typeof signGoals;

/**
 * What one sign alone would ask for, as Kubernetes' HorizontalPodAutoscaler reckons before it rounds up: to be compared
 * with, and that shows more in fractions.
 * https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
 */
export function desiredBy(sign: Sign, instances: number, value: number): number {
  return (instances * value) / signGoals[sign];
}

/** Stands for never: prom-client refuses Infinity. A year. */
export const neverSeconds = 31_536_000;

/** When a backlog will be gone at this rate: 0 where there is none, {@link neverSeconds} where nothing leaves. */
export function drainSeconds(backlog: number, rate: number): number {
  if (backlog <= 0) return 0;
  return rate > 0 ? Math.min(backlog / rate, neverSeconds) : neverSeconds;
}

/**
 * The p-th quantile of a histogram, as Prometheus' histogram_quantile reckons: evenly spread within a bucket, and the
 * largest bound for what lies beyond it. null for an empty one.
 * @param buckets upper bound -> observations up to it
 */
export function quantileOf(buckets: ReadonlyMap<number, number>, count: number, p: number): number | null {
  if (count <= 0) return null;
  const rank = p * count;
  let [lower, below] = [0, 0];
  for (const [bound, upTo] of [...buckets].sort(([a], [b]) => a - b)) {
    if (upTo >= rank) return lower + ((bound - lower) * (rank - below)) / Math.max(upTo - below, 1e-9);
    [lower, below] = [bound, upTo];
  }
  return lower;
}

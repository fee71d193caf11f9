/** One label set of a histogram, as Moleculer keeps it. */
export interface Series {
  sum: number;
  count: number;
  /** Upper bound -> observations up to it. */
  bucketValues: Record<string, number>;
}

/** Counts a value that was just observed so many times more: Moleculer takes one a call, and tells its reporters of each. */
export function observeAgain(series: Series, value: number, times: number): void {
  series.sum += value * times;
  series.count += times;
  for (const bound in series.bucketValues) if (value <= Number(bound)) series.bucketValues[bound]! += times;
}

import type { Row } from "../row.ts";

/** Share of a committed ratio that a later run must still reach: machines differ and are noisy. */
const tolerated = 0.75;

/** A committed ratio that a run did not reach. */
export interface Loss {
  figure: string;
  /** In words. */
  text: string;
}

/**
 * What a bench has lost against the committed ratios: those that are worse than tolerable, no number, or not among its rows.
 * One of which no ratio is committed has lost, too: nothing was held against anything.
 */
export function lossesOf(bench: string, rows: readonly Row[], expected: readonly Row[]): Loss[] {
  const committed = expected.filter((row) => row.bench === bench);
  if (committed.length === 0) return [{ figure: "", text: `${bench}: no ratio of it is committed` }];
  return committed.flatMap(({ figure, value }) => {
    const now = rows.find((row) => row.bench === bench && row.figure === figure);
    if (now === undefined) return [{ figure, text: `${bench}: no such figure: ${figure}` }];
    // Of NaN neither is true.
    return now.value >= value * tolerated
      ? []
      : [{ figure, text: `${bench}: ${figure} is ${now.value}, it was ${value}` }];
  });
}

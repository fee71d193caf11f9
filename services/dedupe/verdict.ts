import type { Comparison } from "./compare.ts";

/**
 * From how many bits on two leads are the same, and from how many on they are in doubt. Fellegi & Sunter's decision rule:
 * two thresholds, and between them a person decides.
 */
export const thresholds = { same: 9, doubt: 7.5 } as const;
export interface Thresholds {
  same: number;
  doubt: number;
}

export type Verdict = "same" | "doubt" | "different";

export function verdictOf({ weight }: Comparison, { same, doubt }: Thresholds = thresholds): Verdict {
  if (weight >= same) return "same";
  return weight >= doubt ? "doubt" : "different";
}

import type { Fault } from "../../services/intake/raw.ts";

export interface Counts {
  /** Rows read, the header apart. */
  rows: number;
  /** Rows whose lead JetStream has. */
  accepted: number;
  refused: number;
  /** Reason -> rows; a row stands under its first one, so that they sum up to `refused`. */
  refusedBy: Record<string, number>;
}

export const noCounts = (): Counts => ({ rows: 0, accepted: 0, refused: 0, refusedBy: {} });

/** Reasons told apart; the rest is counted as `other`. */
const reasonsNamed = 50;

/** Counts a refused row under its first fault, the value that was wrong left out. */
export function countRefused(counts: Counts, faults: readonly Fault[]): void {
  counts.refused++;
  const { field, message } = faults[0]!;
  const text = message.replace(/"(?:[^"\\]|\\.)*(?:"|…)/g, "…");
  const reason = field === "" ? text : `${field} ${text}`;
  const known = Object.hasOwn(counts.refusedBy, reason) || Object.keys(counts.refusedBy).length < reasonsNamed;
  const key = known ? reason : "other";
  counts.refusedBy[key] = (counts.refusedBy[key] ?? 0) + 1;
}

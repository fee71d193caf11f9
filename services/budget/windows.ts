/**
 * The windows that money is counted in, and what their levels mean. Days and calendar months are UTC's, for every
 * tenant alike: a tenant's own midnight would move with its clock changes, and providers bill by UTC.
 */

export const levels = {
  /** A warning, nothing else. */
  warning: 75,
  /** What is not essential stops. */
  essentialOnly: 90,
  /** Nothing that costs goes out. */
  stop: 100,
} as const;

export type Period = "day" | "month";

/** The day of a moment, `2026-11-23`. `at`: ms since 1970. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** When the window after the one that holds `day` begins, ms since 1970. */
export function nextWindow(period: Period, day: string): number {
  const [year, month, date] = day.split("-").map(Number) as [number, number, number];
  return period === "day" ? Date.UTC(year, month - 1, date + 1) : Date.UTC(year, month, 1);
}

/** Of a cap, what a call may fill it to: what is not essential leaves the last tenth to what is. Whole micro-USD. */
export function limitOf(capMicro: number, essential: boolean): number {
  return essential ? capMicro : Math.floor((capMicro * levels.essentialOnly) / 100);
}

/** What a window says of itself: the highest level that `usedMicro` of `capMicro` has reached, 0 for none. */
export function levelOf(usedMicro: number, capMicro: number): 0 | 75 | 90 | 100 {
  for (const level of [levels.stop, levels.essentialOnly, levels.warning])
    if (usedMicro > 0 && usedMicro * 100 >= capMicro * level) return level;
  return 0;
}

/** A window that a reservation does not fit into. */
export interface Full {
  period: Period;
  /** "" is all providers together. */
  provider: string;
  usedMicro: number;
  capMicro: number;
}

/**
 * When a reservation that met these full windows may be tried again: when the last of them is over. null: never, it is
 * larger than a whole window allows.
 */
export function retryAt(full: readonly Full[], day: string, amountMicro: number, essential: boolean): number | null {
  if (full.some(({ capMicro }) => amountMicro > limitOf(capMicro, essential))) return null;
  return Math.max(...full.map(({ period }) => nextWindow(period, day)));
}

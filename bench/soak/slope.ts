/** A line through values over time, and how sure it is. */
export interface Slope {
  /** Growth an hour, as a share of the line's value at its first moment: of the least value where the line begins below all. */
  perHour: number;
  /** Half the width of its 95 % interval. */
  give: number;
}

/** Two-sided 95 % of Student's t, near enough from ten degrees of freedom on (2.23 there, 1.96 at infinity). */
const t95 = (freedom: number): number => 1.96 + 2.7 / Math.max(1, freedom);

/**
 * Least squares through `[minute, value]`, with the standard error of the slope
 * (https://en.wikipedia.org/wiki/Simple_linear_regression#Normality_assumption). Null for fewer than ten values.
 */
export function slopeOf(points: readonly (readonly [minute: number, value: number])[]): Slope | null {
  const n = points.length;
  if (n < 10) return null;
  const mean = (of: (point: readonly [number, number]) => number) => points.reduce((sum, p) => sum + of(p), 0) / n;
  const [x, y] = [mean(([minute]) => minute), mean(([, value]) => value)];
  const sxx = points.reduce((sum, [minute]) => sum + (minute - x) ** 2, 0);
  const slope = points.reduce((sum, [minute, value]) => sum + (minute - x) * (value - y), 0) / sxx;
  const residual = points.reduce((sum, [minute, value]) => sum + (value - y - slope * (minute - x)) ** 2, 0);
  // A line through what rose late and steeply begins below nothing.
  const base = Math.max(y + slope * (points[0]![0] - x), Math.min(...points.map(([, value]) => value)));
  const share = (perMinute: number) => (base > 0 ? (perMinute * 60) / base : 0);
  return { perHour: share(slope), give: share(t95(n - 2) * Math.sqrt(residual / (n - 2) / sxx)) };
}

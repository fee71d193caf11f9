/** One line of a bench's result. `goal` and `holds` are null for a figure that is only shown. */
export interface Row {
  bench: string;
  figure: string;
  unit: string;
  value: number;
  goal: string | null;
  holds: boolean | null;
}

export interface BenchOptions {
  /** Short runs, for CI: a tenth of the work, one repetition. */
  short: boolean;
  /** Leads in the record of `growth`, through `memory`, or behind which `lanes` looks; undefined: as the bench has it. */
  rows?: number;
  log(line: string): void;
}

/** Share of web sites that may not be read and measured: such a lead takes a shorter way than the one that is timed. */
export const mostUnread = 0.001;

/** What a file `bench/<name>.ts` exports. */
export type Bench = (options: BenchOptions) => Promise<Row[]>;

/** A figure with no goal. */
export function figure(bench: string, name: string, unit: string, value: number): Row {
  return { bench, figure: name, unit, value: round(value), goal: null, holds: null };
}

/** A figure that must be at least `least`. */
export function atLeast(bench: string, name: string, unit: string, value: number, least: number): Row {
  return { bench, figure: name, unit, value: round(value), goal: `>= ${least}`, holds: value >= least };
}

/** A figure that must be at most `most`. */
export function atMost(bench: string, name: string, unit: string, value: number, most: number): Row {
  return { bench, figure: name, unit, value: round(value), goal: `<= ${most}`, holds: value <= most };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

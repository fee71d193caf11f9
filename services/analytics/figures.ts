import { scoreBins } from "./measures.ts";

/** What the figures can be told by. */
export const axes = ["day", "source", "vertical", "zip", "tenant"] as const;
export type Axis = (typeof axes)[number];

/**
 * Days that may be asked for at once, and values that are told of each of them: more curves are no picture. Both together
 * are 8,000 rows, of 950 bytes at the most: the answer goes to the gateway in one message, which may hold 8 MB.
 */
export const mostDays = 400;
export const mostCurves = 20;
/** Days that are told where nobody says since when. */
const usualDays = 30;
const dayMs = 86_400_000;

/** A row of sums, by column; null where there was nothing to sum up. */
export type Sums = Record<string, number | string | null | undefined>;

/** What became of some leads, in the order of their way. Money is micro-USD. */
export interface Figures {
  takenIn: number;
  inProgress: number;
  completed: number;
  merged: number;
  rejected: number;
  dead: number;
  discarded: number;
  erased: number;
  scored: number;
  /** By tens: 0 to 9, 10 to 19 … 90 to 100. */
  scores: number[];
  mockedUp: number;
  mailed: number;
  /** null: nobody looked. */
  opened: number | null;
  bounced: number;
  complained: number;
  unsubscribed: number;
  /** E-mails whose fate is unknown. */
  mailUnknown: number;
  costMicro: number;
  /** null: there was none. */
  costPerLeadMicro: number | null;
  costPerMailMicro: number | null;
}

/** Measures that nothing tells of: opens, where they are not tracked and none was told all the same. */
export const notMeasuredOf = (totals: Sums, { openTracking }: { openTracking: boolean }): "opened"[] =>
  openTracking || Number(totals["opened"] ?? 0) > 0 ? [] : ["opened"];

export function figuresOf(sums: Sums, notMeasured: readonly "opened"[] = []): Figures {
  const of = (column: string) => Number(sums[column] ?? 0);
  const scores = Array.from({ length: scoreBins }, (_, bin) => of(`scored_${bin}`));
  const [takenIn, mailed, costMicro] = [of("taken_in"), of("mailed"), of("cost_micro")];
  const per = (count: number) => (count === 0 ? null : Math.round(costMicro / count));
  return {
    takenIn,
    inProgress: of("in_progress"),
    completed: of("completed"),
    merged: of("merged"),
    rejected: of("rejected"),
    dead: of("dead"),
    discarded: of("discarded"),
    erased: of("erased"),
    scored: scores.reduce((sum, n) => sum + n, 0),
    scores,
    mockedUp: of("mocked_up"),
    mailed,
    opened: notMeasured.includes("opened") ? null : of("opened"),
    bounced: of("bounced"),
    complained: of("complained"),
    unsubscribed: of("unsubscribed"),
    mailUnknown: of("mail_unknown"),
    costMicro,
    costPerLeadMicro: per(takenIn),
    costPerMailMicro: per(mailed),
  };
}

/**
 * The days from one to another, both counted in; without `from` the last thirty of them. null: they are no days, the wrong
 * way round, or too many.
 */
export function daysBetween(from: string | undefined, to: string): string[] | null {
  const last = dayAt(to);
  if (last === null) return null;
  const first = from === undefined ? last - (usualDays - 1) * dayMs : dayAt(from);
  if (first === null || last < first || last - first >= mostDays * dayMs) return null;
  return Array.from({ length: (last - first) / dayMs + 1 }, (_, n) => dayText(first + n * dayMs));
}

/** The day of a moment (UTC). */
export const dayText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function dayAt(day: string): number | null {
  const at = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(day) : Number.NaN;
  // 2026-02-30 is read as a day of March.
  return Number.isNaN(at) || dayText(at) !== day ? null : at;
}

/** A row for each key, in their order: of those that have none one of nothing. */
export function inOrder(rows: readonly Sums[], keys: readonly string[]): Sums[] {
  const found = new Map(rows.map((row) => [row["key"], row]));
  return keys.map((key) => found.get(key) ?? { key });
}

/** For each key, in the order of the rows, a row for each day, so that a curve can be drawn of them as they are. */
export function everyDay(rows: readonly Sums[], days: readonly string[]): Sums[] {
  return [...Map.groupBy(rows, (row) => row["key"])].flatMap(([key, ofKey]) => {
    const found = new Map(ofKey.map((row) => [row["day"], row]));
    return days.map((day) => found.get(day) ?? { key, day });
  });
}

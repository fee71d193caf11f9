import type { TimelineEntry } from "./lead.ts";

/**
 * A timeline as the record keeps it: a line for each stage passed, `stage at waitedMs workedMs outcome`, with the attempt
 * at its end when it was not the first. A third of what the objects take, whose names are most of them: a lead of six
 * stages is a row of 2.6 kB instead of 3.0, three to a page. What is no entry, as dead leads may have it, is kept as it is,
 * and so is what was written before there were lines: a timeline may hold both.
 */
const line = /^([^ ]*) (\d{1,16}) (\d{1,16}) (\d{1,16}) ([^ ]*)(?: (\d{1,16}))?$/;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isWord = (value: unknown): boolean => typeof value === "string" && !value.includes(" ");

function isEntry(value: unknown): value is TimelineEntry {
  if (value === null || typeof value !== "object") return false;
  const { stage, at, waitedMs, workedMs, outcome, attempt, ...more } = value as Partial<TimelineEntry>;
  return (
    isWord(stage) &&
    isWord(outcome) &&
    isCount(at) &&
    isCount(waitedMs) &&
    isCount(workedMs) &&
    (attempt === undefined || isCount(attempt)) &&
    Object.keys(more).length === 0
  );
}

export const linesOf = (timeline: readonly unknown[]): unknown[] =>
  timeline.map((entry) => {
    if (!isEntry(entry)) return entry;
    const { stage, at, waitedMs, workedMs, outcome, attempt } = entry;
    const text = `${stage} ${at} ${waitedMs} ${workedMs} ${outcome}`;
    return attempt === undefined ? text : `${text} ${attempt}`;
  });

/** Out of {@link linesOf}, and of timelines from before it. What a stranger wrote stays what it was. */
export const entriesOf = (timeline: readonly unknown[]): TimelineEntry[] =>
  timeline.map((entry) => {
    const found = typeof entry === "string" ? line.exec(entry) : null;
    if (!found) return entry as TimelineEntry;
    const [, stage, at, waitedMs, workedMs, outcome, attempt] = found;
    return {
      stage: stage!,
      at: Number(at),
      waitedMs: Number(waitedMs),
      workedMs: Number(workedMs),
      outcome: outcome!,
      ...(attempt !== undefined && { attempt: Number(attempt) }),
    };
  });

/** Of a row of `leads` that is called `l`: has dedupe let it through? As `isPastDedupe` (lead.ts), in SQL. */
export const isPastDedupeSql = `coalesce(l.timeline @@ '$[*] starts with "dedupe " || $[*].stage == "dedupe"', false)`;

/** What a process that ran tests says of them at its end (test/support/reporter.ts), and which of it is looked at again. */
const summary = /^(\d+) passed, (\d+) failed, (\d+) skipped$/gm;
const failure = /^ {2}failed: (.*)$/gm;

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** `FILE: TITLE: MESSAGE` of each that failed. */
  failures: string[];
}

/** What one process counted. One that ended without its last line has failed. */
export function countsOf(output: string): Counts {
  if (output === "") return { passed: 0, failed: 0, skipped: 0, failures: [] };
  const [passed, failed, skipped] = [...output.matchAll(summary)].at(-1)?.slice(1).map(Number) ?? [0, 1, 0];
  return {
    passed: passed!,
    failed: failed!,
    skipped: skipped!,
    failures: Array.from(output.matchAll(failure), ([, text]) => text!),
  };
}

export function add(to: Counts, counts: Counts): void {
  to.passed += counts.passed;
  to.failed += counts.failed;
  to.skipped += counts.skipped;
  to.failures.push(...counts.failures);
}

/** By this variable of its environment a mesh in which everything breaks is given its seed: a second run breaks it alike. */
export const seedVariable = "FAULT_SEED";

/** A row's own words, or mocha's, for what came too late. An answer that says 500 did not. */
const late =
  /: (?:not quiet:|recovered after |available [\d.]+ %:(?!.*\b500 )|p95 |not within \d+ ms|no process .* within \d+ ms)|Timeout of \d+ms exceeded/;

/**
 * Could a busy machine alone have made it fail? So all tests are taken, but for rows of a mesh in which everything breaks:
 * one that loses or doubles a lead now and then would pass at the second try. What they find is said first (test/fault/driver.ts).
 */
export function isForgivable(text: string): boolean {
  const file = fileOf(text);
  if (!file.endsWith(".test.ts")) return false;
  return !file.startsWith("test/fault/") || late.test(text);
}

/** The files of tests that failed, to be run once more; none where one of them has failed for good. */
export function filesAgain(failures: readonly string[]): string[] {
  return failures.every(isForgivable) ? [...new Set(failures.map(fileOf))] : [];
}

const fileOf = (text: string) => text.slice(0, text.indexOf(": "));

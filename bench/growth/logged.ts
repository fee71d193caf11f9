/** A statement that PostgreSQL has run, with how often and for how long. */
export interface Logged {
  text: string;
  calls: number;
  meanMs: number;
}

/** Where an entry begins: its text goes on in lines that begin with a tab. */
const entryStart = /\n(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[\d+\] )/;
const ran = /^[^\n]*? LOG: {2}duration: ([\d.]+) ms {2}(?:statement|execute [^:\n]+): ([\s\S]*)$/;
const touchesRows = /^[\s(]*(select|insert|update|delete|with)\b/i;

/**
 * The statements of a log that was written with `log_min_duration_statement = 0`, each once, by the time that all of its
 * runs took. Those that differ in the number of their parameters alone are one. Without the bench's own.
 */
export function loggedStatements(log: string): Logged[] {
  const sums = new Map<string, { text: string; calls: number; ms: number }>();
  for (const entry of log.split(entryStart)) {
    const [, ms, text = ""] = ran.exec(entry) ?? [];
    if (!touchesRows.test(text) || text.includes("/* bench */")) continue;
    const key = text
      .replace(/\s+/g, " ")
      .replace(/\$\d+/g, "$")
      .replace(/\$(, ?\$)+/g, "$, …");
    const sum = sums.get(key) ?? { text: text.trim(), calls: 0, ms: 0 };
    sum.calls++;
    sum.ms += Number(ms);
    sums.set(key, sum);
  }
  return [...sums.values()]
    .sort((a, b) => b.ms - a.ms)
    .map(({ text, calls, ms }) => ({ text, calls, meanMs: ms / calls }));
}

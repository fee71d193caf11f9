/** Rows as CSV (RFC 4180), whose columns are the first row's. A list takes a column for each of its values, `scores.0` on. */
export function csvOf(rows: readonly Record<string, unknown>[]): string {
  const flat = rows.map(flatten);
  const columns = Object.keys(flat[0] ?? {});
  return [columns, ...flat.map((row) => columns.map((column) => row[column]))]
    .map((cells) => `${cells.map(cell).join(",")}\r\n`)
    .join("");
}

function flatten(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) =>
      Array.isArray(value) ? value.map((one, n) => [`${name}.${n}`, one]) : [[name, value]],
    ),
  );
}

/**
 * Text that a spreadsheet would take for a formula gets an apostrophe before it
 * (https://owasp.org/www-community/attacks/CSV_Injection); the spreadsheet shows it as text. What is absent is empty.
 */
function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

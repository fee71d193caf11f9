/** How the console shows things to people. With --json it prints them as they are. */

export const time = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

/** 90,061,000 ms -> `1d 1h`: the two largest units. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const units = [
    ["d", Math.floor(seconds / 86_400)],
    ["h", Math.floor(seconds / 3_600) % 24],
    ["m", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ] as const;
  const from = units.findIndex(([, n]) => n > 0);
  if (from < 0) return "0s";
  return units
    .slice(from, from + 2)
    .filter(([, n]) => n > 0)
    .map(([unit, n]) => `${n}${unit}`)
    .join(" ");
}

export const age = (ms: number | null): string => (ms === null ? "-" : duration(ms));

const units = ["B", "kB", "MB", "GB", "TB"];
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** What a lead says may hold anything: no control character reaches the terminal. */
export const plain = (text: unknown): string => String(text ?? "").replace(/\p{Cc}/gu, " ");

/** Columns, the first row their names; numbers to the right. */
export function columns(rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map((row) => row.map(plain));
  const widths = cells[0]!.map((_, n) => Math.max(...cells.map((row) => row[n]!.length)));
  const isNumber = widths.map((_, n) => rows.slice(1).every((row) => typeof row[n] === "number"));
  return cells
    .map((row) =>
      row
        .map((cell, n) => (isNumber[n] && rows.length > 1 ? cell.padStart(widths[n]!) : cell.padEnd(widths[n]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

import type { Progress } from "./options.ts";

const width = 28;
const grouped = new Intl.NumberFormat("en");

/** `12:03`, or `1:02:03`. */
export function duration(ms: number): string {
  const total = Math.round(ms / 1_000);
  const [h, m, s] = [Math.floor(total / 3_600), Math.floor(total / 60) % 60, total % 60];
  const pad = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** One line: how much is read, rows, refused, rate, time left, or what is waited for. */
export function progressLine(progress: Progress): string {
  const part = progress.totalBytes === 0 ? 1 : progress.bytes / progress.totalBytes;
  const full = Math.round(part * width);
  const left = progress.waiting
    ? `waiting: ${progress.waiting}`
    : progress.etaMs === undefined
      ? ""
      : `${duration(progress.etaMs)} left`;
  return [
    `[${"#".repeat(full)}${"-".repeat(width - full)}] ${String(Math.floor(part * 100)).padStart(3)} %`,
    `${grouped.format(progress.rows)} rows`,
    `${grouped.format(progress.refused)} refused`,
    `${grouped.format(progress.rate)}/s`,
    left,
  ]
    .filter((text) => text !== "")
    .join("  ");
}

/** Draws progress in one line of a terminal; elsewhere a line every `everyMs`. */
export function progressWriter(out: NodeJS.WriteStream, everyMs = 5_000): { show(p: Progress): void; end(): void } {
  let last = Date.now();
  return {
    show(progress) {
      if (out.isTTY) out.write(`\r\x1b[2K${progressLine(progress).slice(0, (out.columns || 100) - 1)}`);
      else if (Date.now() - last >= everyMs) {
        last = Date.now();
        out.write(`${progressLine(progress)}\n`);
      }
    },
    end() {
      if (out.isTTY) out.write("\n");
    },
  };
}

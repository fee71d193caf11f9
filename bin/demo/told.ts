import type { RecordSummary } from "./summary.sql.ts";

/** What `.stack/summary.json` holds. */
export interface Summary {
  rows: number;
  refused: number;
  accepted: number;
  merged: number;
  completed: number;
  dead: number;
  mockups: number;
  outbox: number;
  leadsPerSecond: number;
  conservation: "ok" | "broken";
}

export interface Details extends RecordSummary {
  refusedBy: Record<string, number>;
  broken: string[];
  inFlight: number;
  seconds: number;
  /** Where the refused rows are. */
  refusedDir: string;
}

const grouped = new Intl.NumberFormat("en");
const barWidth = 40;

/** The sample's outcome for people. */
export function told(summary: Summary, details: Details): string {
  const line = (name: string, value: number | string, note = "") =>
    `  ${name.padEnd(14)}${(typeof value === "number" ? grouped.format(value) : value).padStart(8)}${note && `  ${note}`}`;
  const most = Math.max(1, ...details.histogram.map(({ leads }) => leads));
  const faults = Object.entries(details.refusedBy).sort(([, a], [, b]) => b - a);
  return [
    "",
    line("rows in", summary.rows),
    line(
      "refused",
      summary.refused,
      summary.refused > 0 ? `(rows and reasons: ${details.refusedDir}/*.refused.ndjson)` : "",
    ),
    ...faults.map(([reason, count]) => `      ${String(count).padStart(6)}  ${reason}`),
    line("accepted", summary.accepted, "(a source id told again is the same lead)"),
    line("merged", summary.merged, "(doubles of another lead)"),
    line("completed", summary.completed),
    line("dead letters", summary.dead),
    ...(details.inFlight > 0 ? [line("in flight", details.inFlight)] : []),
    line("mock-ups", summary.mockups),
    line("outbox", summary.outbox, "(e-mails written; none is sent)"),
    line("leads/s", summary.leadsPerSecond, `(${details.seconds.toFixed(1)} s from the first row to quiet)`),
    "",
    "  why leads ended",
    ...details.reasons.map(
      ({ state, reason, leads }) => `      ${String(leads).padStart(6)}  ${state}${reason ? `: ${reason}` : ""}`,
    ),
    "",
    "  scores of completed leads",
    ...details.histogram.map(({ from, leads }) => {
      const label = from === 100 ? "100" : `${from}-${from + 9}`;
      return `    ${label.padStart(6)} ${"#".repeat(Math.ceil((leads / most) * barWidth)).padEnd(barWidth)} ${grouped.format(leads)}`;
    }),
    "",
    `  conservation: ${summary.conservation}`,
    ...details.broken.slice(0, 20).map((id) => `      lost: ${id}`),
    "",
  ].join("\n");
}

/**
 * `node bin/docs.ts`: writes what the documentation takes from elsewhere anew: the README's table of settings and the metrics
 * in docs/metrics.md from the code, the figures in docs/performance.md from what was measured (bench/measured/).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measuredMarkdown } from "../bench/measured.ts";
import { settingsTable } from "../config/settings.ts";
import { type Metric, metrics } from "../mixins/metrics.ts";

const cell = (text: string) => text.replaceAll("|", "\\|");

/** The settings as a Markdown table. */
export function settingsMarkdown(): string {
  const rows = settingsTable().map(
    ({ name, unit, default: value, allowed, text }) =>
      `| \`${name}\` | ${value === "" ? "(empty)" : `\`${cell(value)}\``} | ${cell(allowed)}${unit ? ` (${unit})` : ""} | ${cell(text)} |`,
  );
  return ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** The metrics that a process serves, or the cluster's, as a Markdown table. */
export function metricsMarkdown(by: Metric["by"]): string {
  const rows = metrics
    .filter((metric) => metric.by === by)
    .map(
      ({ name, type, labels, unit, text }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${unit} | ${cell(text)} |`,
    );
  return ["| metric | type | labels | unit | meaning |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}

/** In the order of docs/performance.md. */
const benches = ["baseline", "hop", "chain", "pipeline", "latency", "lanes", "growth", "memory", "scale"];

/** What stands between the markers of each name, in the file that has them. */
const generated: Record<string, { file: string; make(): string }> = {
  settings: { file: "README.md", make: settingsMarkdown },
  "process metrics": { file: "docs/metrics.md", make: () => metricsMarkdown("process") },
  "cluster metrics": { file: "docs/metrics.md", make: () => metricsMarkdown("cluster") },
  ...Object.fromEntries(
    benches.map((bench) => [bench, { file: "docs/performance.md", make: () => measuredMarkdown(bench) }]),
  ),
};

export const generatedFiles = [...new Set(Object.values(generated).map(({ file }) => file))];

/** The text of a file with all that is generated in it brought up to date. Throws where markers are missing. */
export function upToDate(file: string, text: string): string {
  return Object.entries(generated)
    .filter(([, part]) => part.file === file)
    .reduce((done, [name, { make }]) => between(done, name, make()), text);
}

function between(text: string, name: string, made: string): string {
  const [opening, closing] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = text.indexOf(opening);
  const to = text.indexOf(closing);
  if (from < 0 || to < from) throw new Error(`${opening} and ${closing} are missing`);
  return `${text.slice(0, from + opening.length)}\n${made}\n${text.slice(to)}`;
}

if (import.meta.main) {
  for (const file of generatedFiles) {
    const path = join(import.meta.dirname, "..", file);
    writeFileSync(path, upToDate(file, readFileSync(path, "utf8")));
  }
}

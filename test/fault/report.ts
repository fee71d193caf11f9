import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Result } from "./driver.ts";

const file = join(import.meta.dirname, "..", "..", "docs", "reliability.md");
const opening = "<!-- faults -->";
const closing = "<!-- /faults -->";

const shown = (value: number | null): string => (value === null ? "-" : Number.isNaN(value) ? "?" : String(value));

/** The table of a run, as Markdown. */
export function table(results: readonly Result[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["fault", "what breaks", "leads", "lost", "doubled", "dead", "availability", "recoverSeconds", "holds"]),
    line(Array.from({ length: 9 }, () => "---")),
    ...results.map((r) =>
      line([
        `\`${r.fault}\``,
        r.what,
        ...[r.leads, r.lost, r.doubled, r.dead, r.availability, r.recoverSeconds].map(shown),
        r.holds ? "yes" : "**no**",
      ]),
    ),
  ].join("\n");
}

/** What the table in the documentation says, by fault; a run of some rows leaves the others as they are. */
function known(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^\| `([^`]+)` \|.*$/gm)].map(([line, name]) => [name!, line]));
}

/** Brings the table in docs/reliability.md up to date with these results, in the order of `names`; a run of all of them heads it. */
export function writeReport(
  results: readonly Result[],
  names: readonly string[],
  { seed, leads }: { seed: number; leads: number },
): void {
  if (!existsSync(file)) return;
  const text = readFileSync(file, "utf8");
  const from = text.indexOf(opening);
  const to = text.indexOf(closing);
  if (from < 0 || to < from) throw new Error(`${opening} and ${closing} are missing in ${file}`);
  const [head, rule, ...lines] = table(results).split("\n");
  const before = text.slice(from + opening.length, to);
  const rows = new Map([...known(before), ...known(lines.join("\n"))]);
  const minutes = Math.ceil(results.reduce((sum, { details }) => sum + details.seconds, 0) / 60);
  const whole = names.every((name) => results.some(({ fault }) => fault === name));
  const about = whole
    ? `${cpus().length} x ${cpus()[0]?.model ?? "?"}, Node ${process.version}: one run, seed ${seed}, ${leads} leads a row, ${minutes} minutes.`
    : before.slice(0, before.indexOf("| fault |")).trim();
  const body = [about, "", head, rule, ...names.flatMap((name) => rows.get(name) ?? [])].join("\n");
  writeFileSync(file, `${text.slice(0, from + opening.length)}\n${body}\n${text.slice(to)}`);
}

/** `node bin/docs.ts`: writes what the documentation takes from the code anew. Today: the README's table of settings. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settingsTable } from "../config/settings.ts";

const opening = "<!-- settings -->";
const closing = "<!-- /settings -->";

/** The settings as a Markdown table. */
export function settingsMarkdown(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = settingsTable().map(
    ({ name, unit, default: value, allowed, text }) =>
      `| \`${name}\` | ${value === "" ? "(empty)" : `\`${cell(value)}\``} | ${cell(allowed)}${unit ? ` (${unit})` : ""} | ${cell(text)} |`,
  );
  return ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** The text with the table between its markers brought up to date. Throws where the markers are missing. */
export function withSettingsTable(text: string): string {
  const from = text.indexOf(opening);
  const to = text.indexOf(closing);
  if (from < 0 || to < from) throw new Error(`${opening} and ${closing} are missing`);
  return `${text.slice(0, from + opening.length)}\n${settingsMarkdown()}\n${text.slice(to)}`;
}

if (import.meta.main) {
  const readme = join(import.meta.dirname, "..", "README.md");
  writeFileSync(readme, withSettingsTable(readFileSync(readme, "utf8")));
}

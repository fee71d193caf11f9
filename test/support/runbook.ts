import { readFileSync } from "node:fs";
import { join } from "node:path";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "operate.md"), "utf8");

/** The commands of docs/operate.md that stand in blocks of this kind, in order; of one section, or of all. */
export function commands(kind: string, section?: string): string[] {
  const text = section === undefined ? page : sectionOf(section);
  return [...text.matchAll(new RegExp(`\`\`\`${kind}\n([\\s\\S]*?)\`\`\``, "g"))].flatMap(([, block]) =>
    block!.split("\n").filter((line) => line !== ""),
  );
}

/** An alert's own section, which its annotation names. */
function sectionOf(alert: string): string {
  const found = page.split(/^#{2,4} /m).find((text) => text.startsWith(`${alert}\n`));
  if (!found) throw new Error(`docs/operate.md has no section ${alert}`);
  return found;
}

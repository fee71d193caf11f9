import { resolve } from "node:path";
import { loadSettings, typedIn } from "../config/settings.ts";
import { thresholds } from "../services/dedupe/verdict.ts";
import { readArguments, usage } from "./dedupe-report/arguments.ts";
import { matchAll } from "./dedupe-report/match.ts";
import { type Mistake, measure, worst } from "./dedupe-report/measure.ts";
import { type GoldRow, readGold } from "./dedupe-report/read-gold.ts";

/**
 * `npm run dedupe:report`: how good the matching of doubles is on a file whose true clusters are known. Needs no server:
 * the same keys, comparison and thresholds as the mesh. Exit code 0 when it was measured, 1 when it could not be.
 */
process.exitCode = await main().catch((error: Error) => {
  console.error(`dedupe:report: ${error.message}`);
  return 1;
});

async function main(): Promise<number> {
  const options = readArguments(process.argv.slice(2));
  if (options === "help") {
    console.log(usage);
    return 0;
  }
  const { map, format, areaCode, gold } = options;
  // npm changes into the project's folder; a path is meant from where the command was typed.
  const file = resolve(typedIn(), options.file);
  const { defaultRegion, rowLimitBytes } = loadSettings();
  const region = options.region ?? defaultRegion;
  const rows = await readGold({ file, gold, map, format, region, areaCode, rowLimitBytes });
  const leads = rows.flatMap(({ lead }) => (lead ? [lead] : []));
  const compared = matchAll(leads);
  const result = measure(rows, compared);
  if (options.json) {
    console.log(JSON.stringify(result));
    return 0;
  }
  const known = rows.filter((row) => row.gold !== undefined).length;
  const refused = rows.length - leads.length;
  console.log(`rows             ${rows.length}, ${known} with a known cluster, ${refused} refused`);
  console.log(`pairs compared   ${compared.length}`);
  for (const [key, value] of Object.entries(result))
    console.log(`${key.padEnd(16)} ${key === "doubt" ? `${value} pairs` : value.toFixed(4)}`);
  const { joined, torn } = worst(rows, compared);
  console.log(`\nworst of what was joined and should not be`);
  for (const mistake of joined) console.log(told(mistake));
  console.log(`\nworst of what should be joined and was not`);
  for (const mistake of torn) console.log(told(mistake));
  if (!options.sweep) return 0;
  console.log("\nsame   doubt  precision  recall  f1      pairs in doubt");
  for (const [same, doubt] of [
    [1, 1],
    [0.9, 1],
    [1.1, 1],
    [1, 0.9],
    [1, 1.1],
  ] as const) {
    const at = { same: thresholds.same * same, doubt: thresholds.doubt * doubt };
    const m = measure(rows, compared, at);
    const figures = [m.precision, m.recall, m.f1].map((figure) => figure.toFixed(4));
    console.log(
      `${at.same.toFixed(2).padEnd(6)} ${at.doubt.toFixed(2).padEnd(6)} ${figures[0]}     ${figures[1]}  ${figures[2]}  ${m.doubt}`,
    );
  }
  return 0;
}

function told({ pairs, a, b, compared }: Mistake): string {
  const why = compared
    ? `${compared.comparison.weight.toFixed(1)} bits: ${compared.comparison.evidence.map(({ level }) => level).join(", ")}`
    : "never compared";
  return `  ${pairs} pairs, ${why}\n${shown(a)}\n${shown(b)}`;
}

function shown({ line, gold, lead }: GoldRow): string {
  const { name, address, phone } = lead?.fields ?? { name: "(refused)" };
  const where = [address?.street, address?.unit, address?.zip].filter(Boolean).join(" ");
  return `    line ${line}, ${gold}: ${[name.replace(/\s+/g, " "), where, phone].filter(Boolean).join(" | ")}`;
}

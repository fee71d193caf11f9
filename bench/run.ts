import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stopServers } from "../test/support/servers.ts";
import { lossesOf } from "./check/losses.ts";
import { keep } from "./measured.ts";
import type { Bench, Row } from "./row.ts";

/** Files in this folder that are no bench. */
const helpers = new Set(["run.ts", "row.ts", "load.ts", "measured.ts"]);
const benches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && !helpers.has(file))
  .map((file) => file.slice(0, -".ts".length));

const usage = `npm run bench -- NAME… [--json FILE] [--record] [--short] [--rows N] [--check]
  benches: ${benches.join(", ")}
  --json   writes the rows to a file
  --record keeps the rows in bench/measured/, from which docs/performance.md is written
  --short  a quarter of the work
  --rows   leads in the record of growth, through memory, or behind which lanes looks
  --check  fails where a ratio of bench/expected.json is missing, or below three quarters of what it was`;
/** Runs that a ratio has to reach it with --check: other work on the machine hits one side of a run and not the other. */
const checkRuns = 3;
/** Characters of a figure's name that the table shows: some hold a whole statement. */
const longestFigure = 110;

const { values, positionals } = parseArgs({
  options: {
    json: { type: "string" },
    record: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
    rows: { type: "string" },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !benches.includes(name));
const size = values.rows === undefined ? undefined : Number(values.rows.replaceAll("_", ""));
const isWrong = unknown.length > 0 || (size !== undefined && !(Number.isInteger(size) && size > 0));
if (values.help || positionals.length === 0 || isWrong) {
  const fault =
    unknown.length > 0 ? `no such bench: ${unknown.join(", ")}\n` : isWrong ? "--rows takes a number\n" : "";
  console.error(`${fault}${usage}`);
  process.exit(values.help ? 0 : 2);
}

const machine = `${cpus().length} x ${cpus()[0]?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
console.log(machine);
const expected = JSON.parse(readFileSync(join(import.meta.dirname, "expected.json"), "utf8")) as Row[];
const rows: Row[] = [];
/** With --check: what was lost, in words. */
const lost: string[] = [];
try {
  for (const name of positionals) {
    const { run } = (await import(join(import.meta.dirname, `${name}.ts`))) as { run: Bench };
    const options = {
      short: values.short,
      ...(size && { rows: size }),
      log: (line: string) => console.log(`  ${line}`),
    };
    let best = await run(options);
    const losses = () => (values.check ? lossesOf(name, best, expected) : []);
    /** Those that another run may make good: not what it has no figure of. */
    const worse = () => losses().filter(({ figure }) => best.some((row) => row.figure === figure));
    for (let runs = 1; runs < checkRuns && worse().length > 0; runs++) {
      const texts = worse().map(({ text }) => text);
      console.log(`  ${name} again: ${texts.join("; ")}`);
      const figures = new Set(worse().map(({ figure }) => figure));
      const again = await run(options);
      best = best.map((row, n) => (figures.has(row.figure) ? again[n]! : row));
    }
    lost.push(...losses().map(({ text }) => text));
    rows.push(...best);
    if (values.record) record(name, best);
  }
} finally {
  await stopServers();
}
console.table(
  // The whole of it is in the JSON.
  rows.map(({ bench, figure, value, unit, goal, holds }) => {
    return { bench, figure: figure.slice(0, longestFigure), value, unit, goal, holds };
  }),
);
if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
process.exit(failures().length > 0 ? 1 : 0);

function record(name: string, rows: Row[]): void {
  const flags = process.argv.slice(2).filter((arg) => /^--(short|rows)/.test(arg) || /^[\d_]+$/.test(arg));
  const command = ["npm run bench --", name, ...flags].join(" ");
  keep(name, { machine, command, day: new Date().toISOString().slice(0, 10), rows });
}

/** Goals missed; with --check the ratios that were lost instead: a goal is for a quiet machine. */
function failures(): string[] {
  if (!values.check)
    return rows.filter(({ holds }) => holds === false).map(({ bench, figure }) => `${bench}: ${figure}`);
  for (const line of lost) console.error(line);
  return lost;
}

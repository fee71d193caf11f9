import { readdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stopServers } from "../test/support/servers.ts";
import type { Bench, Row } from "./row.ts";

/** Files in this folder that are no bench. */
const helpers = new Set(["run.ts", "row.ts", "load.ts"]);
const benches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && !helpers.has(file))
  .map((file) => file.slice(0, -".ts".length));

const usage = `npm run bench -- NAME… [--json FILE] [--short]   benches: ${benches.join(", ")}`;

const { values, positionals } = parseArgs({
  options: {
    json: { type: "string" },
    short: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !benches.includes(name));
if (values.help || positionals.length === 0 || unknown.length > 0) {
  console.error(unknown.length > 0 ? `no such bench: ${unknown.join(", ")}\n${usage}` : usage);
  process.exit(values.help ? 0 : 2);
}

console.log(
  `${cpus().length} x ${cpus()[0]?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
const rows: Row[] = [];
try {
  for (const name of positionals) {
    const { run } = (await import(join(import.meta.dirname, `${name}.ts`))) as { run: Bench };
    rows.push(...(await run({ short: values.short, log: (line) => console.log(`  ${line}`) })));
  }
} finally {
  await stopServers();
}
console.table(rows.map(({ bench, figure, value, unit, goal, holds }) => ({ bench, figure, value, unit, goal, holds })));
if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
process.exit(rows.some(({ holds }) => holds === false) ? 1 : 0);

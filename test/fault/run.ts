/** `npm run test:fault`: breaks a running mesh in every way of test/fault/rows.ts and proves that nothing is lost or doubled. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { typedIn } from "../../config/settings.ts";
import { stopServers } from "../support/servers.ts";
import { clocks, shortClock } from "./clock.ts";
import { type Result, runRow, unfinished } from "./driver.ts";
import { table, writeReport } from "./report.ts";
import { type Row, rows, shortRows } from "./rows.ts";
import { World } from "./world.ts";

const usage = `npm run test:fault -- [ROW…] [--seed N] [--leads N] [--json FILE] [--short]
  ROW      rows by name, or the beginning of their names; default: all of them
  --seed   the leads, the moments of the faults and their lengths come from it; default: by chance, and printed
  --leads  how many are imported in each row; default: 2000
  --json   writes the table, with its details, to a file
  --short  shorter clocks still: the table in docs/reliability.md stays as it is
  rows: ${rows.map(({ name }) => name).join(", ")}
  of the short form: ${shortRows.map(({ name }) => name).join(", ")}`;

const log = (line: string) => console.log(line);

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  return 2;
});
await stopServers();
process.exit();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      seed: { type: "string" },
      leads: { type: "string", default: "2000" },
      json: { type: "string" },
      short: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (values.help) {
    log(usage);
    return 0;
  }
  const seed = whole("--seed", values.seed ?? String(Math.floor(Math.random() * 1_000_000)));
  const leads = whole("--leads", values.leads);
  const chosen = choose(positionals);
  log(`seed ${seed}, ${leads} leads a row, ${chosen.length} rows`);

  const results: Result[] = [];
  const file = values.json === undefined ? undefined : resolve(typedIn(), values.json);
  for (const cluster of [false, true]) {
    let world: World | undefined;
    try {
      for (const row of chosen.filter((one) => (one.cluster ?? false) === cluster)) {
        let result: Result;
        try {
          const clock = values.short ? shortClock(cluster) : clocks.long;
          world ??= await World.start({ clock, cluster, build: true, log });
          result = await runRow(world, row, { seed, leads, log });
        } catch (error) {
          result = unfinished(row, seed, `the mesh did not start: ${(error as Error).message}`);
        }
        results.push(result);
        tell(result, leads);
        if (file) writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
        if (result.holds) continue;
        // What a row left broken is not the next one's to mend.
        await end(world);
        world = undefined;
      }
    } finally {
      await end(world);
    }
  }
  log(`\n${table(results)}`);
  if (!values.short)
    writeReport(
      results,
      rows.map(({ name }) => name),
      { seed, leads },
    );
  return results.every(({ holds }) => holds) ? 0 : 1;
}

/** Whatever a world ends with, the rows go on in another one: its processes are gone when this one is. */
async function end(world: World | undefined): Promise<void> {
  await world?.[Symbol.asyncDispose]().catch((error: Error) =>
    log(`  (the mesh did not end in order: ${error.message})`),
  );
}

function tell(result: Result, leads: number): void {
  const { fault, holds, why, recoverSeconds, details, seed } = result;
  const { inHand, seconds, redeliveries, repeatedCalls, unknownMails } = details;
  log(
    `  ${holds ? "holds" : "DOES NOT HOLD"}: ${result.leads} leads, in hand: ${inHand.join(", ")}; ${redeliveries} redelivered, ` +
      `${repeatedCalls} calls paid again, ${unknownMails} e-mails unknown; recovered after ${recoverSeconds} s; ${seconds} s`,
  );
  for (const line of why) log(`    ${line}`);
  if (!holds) log(`    again: npm run test:fault -- ${fault} --seed ${seed} --leads ${leads}`);
}

function choose(names: readonly string[]): readonly Row[] {
  if (names.length === 0) return rows;
  const known = [...rows, ...shortRows];
  const named = (name: string) => {
    const exact = known.filter((row) => row.name === name);
    return exact.length > 0 ? exact : known.filter((row) => row.name.startsWith(name));
  };
  const unknown = names.filter((name) => named(name).length === 0);
  if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(", ")}\n${usage}`);
  return [...new Set(names.flatMap(named))];
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} ${text}: a whole number is expected`);
  return Number(text);
}

/** `npm run audit`: proves from the database and the streams that no accepted lead is lost, or names those that are. */
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { namesFor, tenantPattern } from "../config/names.ts";
import { typedIn } from "../config/settings.ts";
import { connectNats } from "../mixins/resources.ts";
import { terms } from "../services/leads/audit.sql.ts";
import { type Audit, audit, type Tally } from "../services/leads/audit.ts";
import { isUuid } from "../services/leads/row.ts";
import { stackSettings } from "./import/open.ts";
import { dirFlag } from "./stack/flags.ts";

const usage = `npm run audit -- [--json] [--tenant T] [--accepted FILE] [--dir FOLDER]
  Proves that every accepted lead has ended, is dead with its dead letter, or is on its way. Exit code 0 when it holds,
  1 when not (the ids are printed), 2 when it could not be found out.
  --json      one JSON object: accepted, completed, merged, rejected, dead, discarded, erased, inFlight, ok, broken, tenants
  --tenant    only this tenant's leads
  --accepted  a file of lead ids that were answered 202, one a line, or "tenant id": they must be there too
  --dir       the folder of the stack that npm start brought up, instead of .stack
  Without a stack, the LEADS_* variables say where NATS and PostgreSQL are.`;

const connectMs = 10_000;
/** Broken ids that are printed for people. */
const printedBroken = 100;

process.exitCode = await main().catch((error: Error) => {
  console.error(`audit: ${error.message}`);
  return 2;
});

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: {
      json: { type: "boolean", default: false },
      tenant: { type: "string" },
      accepted: { type: "string" },
      dir: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const { tenant } = values;
  if (tenant !== undefined && !tenantPattern.test(tenant)) throw new Error(`"${tenant}" is no tenant's name`);
  const settings = stackSettings(dirFlag(values.dir === undefined ? [] : ["--dir", values.dir]));
  const nats = await connected(connectNats(settings, `audit-${process.pid}`), settings.natsUrl);
  try {
    const result = await audit({
      nats,
      names: namesFor(settings.prefix),
      settings,
      ...(tenant !== undefined && { tenant }),
      ...(values.accepted !== undefined && { accepted: acceptedIds(resolve(typedIn(), values.accepted)) }),
    });
    console.log(values.json ? JSON.stringify(result) : told(result));
    return result.ok ? 0 : 1;
  } finally {
    await nats.close();
  }
}

/** The mesh waits for its servers for ever; someone at a terminal should be told. */
async function connected<T>(connecting: Promise<T>, url: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      console.error(`audit: NATS does not answer at ${url}`);
      process.exit(2);
    }, connectMs);
    connecting.catch(reject);
  });
  return Promise.race([connecting, late]).finally(() => clearTimeout(timer));
}

/** Lead ids of a file, a line at a time. Throws for a line that is none, with its number. */
async function* acceptedIds(file: string): AsyncGenerator<{ leadId: string; tenant?: string }> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    if (line.trim() === "") continue;
    const words = line.trim().split(/[\s,]+/);
    const [first, second] = words;
    if (words.length === 1 && isUuid(first)) yield { leadId: first.toLowerCase() };
    else if (words.length === 2 && tenantPattern.test(first!) && isUuid(second))
      yield { tenant: first!, leadId: second.toLowerCase() };
    else throw new Error(`${file}, line ${number}: a lead id, or a tenant and a lead id, is expected`);
  }
}

function told(result: Audit): string {
  const columns = ["tenant", "accepted", ...terms, "broken"];
  const row = (name: string, tally: Tally) => [
    name,
    ...(["accepted", ...terms] as const).map((term) => String(tally[term])),
    String(tally.broken.length),
  ];
  const table = [
    columns,
    ...Object.entries(result.tenants).map(([name, tally]) => row(name || "?", tally)),
    row("all", result),
  ];
  const widths = columns.map((_, n) => Math.max(...table.map((cells) => cells[n]!.length)));
  const lines = table.map((cells) =>
    cells.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join("  "),
  );
  if (result.ok) return [...lines, "", "conservation: ok"].join("\n");
  const { broken } = result;
  const more = broken.length > printedBroken ? [`  and ${broken.length - printedBroken} more (--json names them)`] : [];
  return [
    ...lines,
    "",
    "conservation: broken by",
    ...broken.slice(0, printedBroken).map((id) => `  ${id}`),
    ...more,
  ].join("\n");
}

/** `npm run budget`: shows what was spent and what may be, and writes down what a tenant chooses. */
import { parseArgs } from "node:util";
import { tenantPattern } from "../config/names.ts";
import { Databases } from "../mixins/knex.ts";
import { type BudgetChoice, capsOf, isAmount, isOverBudget, providerPattern } from "../services/budget/caps.ts";
import { choiceOf, driftOf, talliesOf, windowsOf, writeChoice } from "../services/budget/status.sql.ts";
import { type BudgetStatus, statusOf, type WindowStatus } from "../services/budget/status.ts";
import { dayOf } from "../services/budget/windows.ts";
import { stackSettings } from "./import/open.ts";
import { dirFlag } from "./stack/flags.ts";

const usage = `npm run budget -- [--tenant T] [--json] [--dir FOLDER]
npm run budget -- set --tenant T [--day USD] [--month USD] [--cap PROVIDER=USD …] [--over wait|complete|without]
  Shows what tenants that spent in this month (or one) have spent and may spend, today and in the month (UTC). Exit code 0 when every sum is
  that of its entries, 1 when not (the windows are printed), 2 when it could not be found out.
  --json   one JSON object: day, ok, drift, tenants
  --dir    the folder of the stack that npm start brought up, instead of .stack
  set      writes down what a tenant chooses; what is not named goes back to the settings' figure.
  Without a stack, LEADS_DATABASE_URL says where PostgreSQL is.`;

process.exitCode = await main().catch((error: Error) => {
  console.error(`budget: ${error.message}`);
  return 2;
});

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2),
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      tenant: { type: "string" },
      day: { type: "string" },
      month: { type: "string" },
      cap: { type: "string", multiple: true, default: [] },
      over: { type: "string" },
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
  const isSet = positionals[0] === "set";
  if (positionals.length > (isSet ? 1 : 0)) throw new Error(`${positionals.at(-1)} means nothing here\n\n${usage}`);
  const choices = (["day", "month", "cap", "over"] as const).filter((name) => (values[name]?.length ?? 0) > 0);
  if (!isSet && choices.length > 0)
    throw new Error(
      `${choices.map((name) => `--${name}`).join(", ")}: only \`set\` writes down what a tenant chooses\n\n${usage}`,
    );
  const settings = stackSettings(dirFlag(values.dir === undefined ? [] : ["--dir", values.dir]));
  const databases = new Databases({ ...settings, databasePool: 1, statementTimeoutMs: 600_000 });
  try {
    if (isSet) {
      if (tenant === undefined) throw new Error("set needs --tenant");
      await writeChoice(databases.of(tenant), tenant, choiceFrom(values));
    }
    const shown = await look(databases, capsOf(settings), tenant);
    console.log(values.json ? JSON.stringify(shown) : told(shown));
    return shown.ok ? 0 : 1;
  } finally {
    await databases.close();
  }
}

interface Shown {
  day: string;
  /** Every window is the sum of its entries. */
  ok: boolean;
  drift: Awaited<ReturnType<typeof driftOf>>;
  tenants: Record<string, BudgetStatus>;
}

async function look(databases: Databases, caps: ReturnType<typeof capsOf>, tenant?: string): Promise<Shown> {
  const day = dayOf(Date.now());
  const shown: Shown = { day, ok: true, drift: [], tenants: {} };
  const places = tenant === undefined ? databases.all().map(({ knex }) => knex) : [databases.of(tenant)];
  for (const knex of places) {
    const [rows, tallies, drift] = [
      await windowsOf(knex, day, tenant),
      await talliesOf(knex, day, tenant),
      await driftOf(knex),
    ];
    shown.drift.push(...drift.filter((window) => tenant === undefined || window.tenant === tenant));
    for (const name of new Set(tenant === undefined ? rows.map((row) => row.tenant) : [tenant])) {
      const own = rows.filter((row) => row.tenant === name);
      const tally = tallies.find((t) => t.tenant === name);
      shown.tenants[name] = statusOf(own, tally, await choiceOf(knex, name), caps, day);
    }
  }
  shown.ok = shown.drift.length === 0;
  return shown;
}

function choiceFrom(values: {
  day?: string | undefined;
  month?: string | undefined;
  cap: string[];
  over?: string | undefined;
}): BudgetChoice {
  const { day, month, cap, over } = values;
  if (over !== undefined && !isOverBudget(over)) throw new Error(`--over is wait, complete or without, not "${over}"`);
  const providers = cap.map((text) => {
    const [provider = "", usd = ""] = text.split("=");
    if (!providerPattern.test(provider)) throw new Error(`--cap "${text}": PROVIDER=USD is expected`);
    return [provider, microFrom("--cap", usd)] as const;
  });
  return {
    ...(day !== undefined && { dayMicro: microFrom("--day", day) }),
    ...(month !== undefined && { monthMicro: microFrom("--month", month) }),
    ...(providers.length > 0 && { providers: Object.fromEntries(providers) }),
    ...(over !== undefined && { overBudget: over }),
  };
}

/** "12.5" USD -> micro-USD; digits, not floating point, so that no cent is lost on the way. */
function microFrom(flag: string, usd: string): number {
  const [, whole = "", part = ""] = /^(\d{1,7})(?:\.(\d{1,6}))?$/.exec(usd) ?? [];
  const micro = Number(whole) * 1_000_000 + Number(part.padEnd(6, "0"));
  if (whole === "" || !isAmount(micro)) throw new Error(`${flag} "${usd}": USD with up to six decimals is expected`);
  return micro;
}

function told({ day, drift, tenants }: Shown): string {
  const usd = (micro: number | null) => (micro === null ? "-" : (micro / 1_000_000).toFixed(2));
  const line = (name: string, what: string, { spentMicro, reservedMicro, capMicro, level }: WindowStatus) => [
    name,
    what,
    usd(spentMicro),
    usd(reservedMicro),
    usd(capMicro),
    level === 0 ? "" : `${level} %`,
  ];
  const table = [
    ["tenant", "window", "spent", "reserved", "cap", "level"],
    ...Object.entries(tenants).flatMap(([name, { today, month, providers }]) => [
      line(name, "day", today),
      line("", "month", month),
      ...Object.entries(providers).map(([provider, window]) => line("", `day ${provider}`, window)),
    ]),
  ];
  const widths = table[0]!.map((_, n) => Math.max(...table.map((cells) => cells[n]!.length)));
  const lines = table.map((cells) =>
    cells.map((cell, n) => (n < 2 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join("  "),
  );
  const wrong = drift.map(({ tenant, period, startsOn, provider }) => `  ${tenant} ${period} ${startsOn} ${provider}`);
  return [
    `${day} (UTC), USD`,
    ...lines,
    "",
    ...(wrong.length === 0
      ? ["the sums are those of their entries: ok"]
      : ["these windows are not the sum of their entries:", ...wrong]),
  ].join("\n");
}

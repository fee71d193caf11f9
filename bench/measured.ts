import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "./row.ts";

/** A bench's last run that was kept (`--record`): docs/performance.md is written from it. */
export interface Measured {
  machine: string;
  /** What made it. */
  command: string;
  /** The day, UTC. */
  day: string;
  rows: Row[];
}

const fileOf = (bench: string) => join(import.meta.dirname, "measured", `${bench}.json`);

export function keep(bench: string, measured: Measured): void {
  mkdirSync(join(import.meta.dirname, "measured"), { recursive: true });
  writeFileSync(fileOf(bench), `${JSON.stringify(measured, null, 2)}\n`);
}

/** null: none was kept. */
export function measuredOf(bench: string): Measured | null {
  return existsSync(fileOf(bench)) ? (JSON.parse(readFileSync(fileOf(bench), "utf8")) as Measured) : null;
}

/** Of `growth`: each has its statement and its plan in its name, and stands in the JSON alone. */
const isStatement = ({ figure }: Row) => figure.startsWith("statement: ");
/** Of `latency`: `1000/min: errors, providers at 0 ms, by k6`, and of times `…: API, providers at 0 ms, by k6, p95`. */
const ofRate = /^(\d+)\/min: (.*), (providers at \d+ ms, by \w+)(?:, (average|p\d+))?$/;

/** Of `memory`: `enrich, second quarter` in MB, and `enrich, last quarter / second`. */
const ofProcess = /^(.+), (second quarter|last quarter \/ second)$/;

/** What a bench came to, as Markdown: machine and command, and a table; of `latency` one for each delay of the providers. */
export function measuredMarkdown(bench: string): string {
  const measured = measuredOf(bench);
  if (!measured) return "Not measured on a quiet machine yet.";
  const { machine, command, day, rows } = measured;
  const plain = rows.filter(
    (row) => ![isStatement(row), ofRate.test(row.figure), ofProcess.test(row.figure)].some(Boolean),
  );
  const tables = [...ratesOf(rows), ...processesOf(rows), ...table(plain)];
  return [`\`${command}\`, ${day}, ${machine}:`, "", ...tables].join("\n");
}

const number = (value: number) =>
  Number.isFinite(value) ? value.toLocaleString("en-US", { maximumSignificantDigits: 4 }) : "-";
const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const head = (cells: readonly string[]) => [line(cells), line(cells.map(() => "---"))];

const goalOf = ({ goal, holds }: Row) => (goal === null ? "" : holds ? goal : `${goal}, **missed**`);

function table(rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  return [
    ...head(["figure", "value", "unit", "goal"]),
    ...rows.map((row) => line([row.figure, number(row.value), row.unit, goalOf(row)])),
  ];
}

/** A line a process: what it held, and what became of that. */
function processesOf(rows: readonly Row[]): string[] {
  const processes = Map.groupBy(
    rows.filter(({ figure }) => ofProcess.test(figure)),
    ({ figure }) => ofProcess.exec(figure)![1]!,
  );
  if (processes.size === 0) return [];
  return [
    ...head(["process", "second quarter, MB", "last quarter / second", "goal"]),
    ...[...processes].map(([name, [held, share]]) =>
      line([name, number(held!.value), number(share!.value), goalOf(share!)]),
    ),
  ];
}

/** A table a delay: a line a rate, averages and percentiles in one cell, CPU and memory of all processes together. */
function ratesOf(rows: readonly Row[]): string[] {
  const tables = new Map<string, Map<string, Map<string, number>>>();
  for (const { figure, value } of rows) {
    const [, rate, what, name, time] = ofRate.exec(figure) ?? [];
    if (what === undefined || name === undefined) continue;
    const rates = tables.get(name) ?? new Map<string, Map<string, number>>();
    const figures = rates.get(rate!) ?? new Map<string, number>();
    tables.set(name, rates.set(rate!, figures.set(time ? `${what}, ${time}` : what, value)));
  }
  return [...tables].flatMap(([name, rates]) => [
    `${name}; times in ms as average / p50 / p95 / p99:`,
    "",
    ...head([
      "leads/min",
      "sent",
      "errors, %",
      "API",
      "end to end",
      "CPU, cores",
      "memory, MB",
      "disk, MB/s",
      "network, MB/s",
    ]),
    ...[...rates].map(([rate, of]) => {
      const times = (what: string) =>
        ["average", "p50", "p95", "p99"].map((one) => number(of.get(`${what}, ${one}`) ?? Number.NaN)).join(" / ");
      // Of all processes; what is told of the machine is no process's.
      const sum = (what: string) =>
        [...of].reduce(
          (total, [name, value]) =>
            total + (name.startsWith(`${what} of `) && !name.endsWith("the machine") ? value : 0),
          0,
        );
      const errors = number((of.get("errors") ?? Number.NaN) * 100);
      const network = number(of.get("network, all processes") ?? Number.NaN);
      return line([
        ...[number(Number(rate)), number(of.get("sent") ?? Number.NaN), errors, times("API"), times("end to end")],
        ...[sum("CPU"), sum("memory"), sum("disk, written")].map(number),
        network,
      ]);
    }),
    "",
  ]);
}

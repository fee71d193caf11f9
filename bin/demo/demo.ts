import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../../config/settings.ts";
import type { Fault } from "../../services/intake/raw.ts";
import { audit } from "../../services/leads/audit.ts";
import { type ImportOptions, importFile } from "../import/import-file.ts";
import { openMesh } from "../import/open.ts";
import { type Counts, countRefused, noCounts } from "../import/summary.ts";
import { demoTenant } from "../stack/api-key.ts";
import { backlogLine, isQuiet, readBacklog } from "./backlog.ts";
import { generateLeads } from "./leads.ts";
import { startSites } from "./sites.ts";
import { readRecord } from "./summary.sql.ts";
import { type Summary, told } from "./told.ts";

export interface DemoOptions {
  settings: Settings;
  apiUrl: string;
  apiKey: string;
  stackDir: string;
  log(line: string): void;
}

/** Real lists, taken when they stand beside the project. */
const realLists = join(import.meta.dirname, "..", "..", "..", "shared", "data");
const lists: { file: string; options: Partial<ImportOptions> }[] = [
  {
    file: "chicago-early-childhood-sites.csv",
    options: {
      source: "chicago",
      areaCode: "773",
      vertical: "child-care",
      map: "name=Site name,address=Address,zip=Zip,phone=Phone,website=Website,email=Email Address,sourceId=Source+Id",
    },
  },
  { file: "breweries.csv", options: { source: "openbrewerydb", vertical: "brewery" } },
];
const generated = 2_000;
/** The first of the generated leads go in one by one, as a form on a web site would send them. */
const oneByOne = 100;
const everyMs = 1_000;
/** A lead whose site never answers is done in half a minute; this is for a machine that is very slow. */
const patienceMs = 600_000;

/** Takes a sample through every stage, watches it on its way, and tells what came out. `ok` when conservation holds. */
export async function runDemo({ settings, apiUrl, apiKey, stackDir, log }: DemoOptions): Promise<{ ok: boolean }> {
  const dir = join(stackDir, "sample");
  mkdirSync(dir, { recursive: true });
  await using sites =
    settings.fetch === "generator" ? await startSites({ port: Number(new URL(settings.generatorUrl).port) }) : null;
  if (sites) log(`generated web sites (*.example) are served on ${sites.url}; nobody else's are fetched`);
  const mesh = await openMesh(settings, `sample-${process.pid}`);
  try {
    const began = performance.now();
    const counts = await takeIn({ apiUrl, apiKey, dir, log }, (options) =>
      importFile({ tenant: demoTenant, stateDir: dir, restart: true, ...options }, mesh, () => {}),
    );
    log(`${counts.accepted} of ${counts.rows} rows taken in`);

    const nc = await mesh.nats();
    const stages = mesh.flow.map(({ name }) => name);
    let last = "";
    for (;;) {
      const backlog = await readBacklog(nc, mesh.names, stages);
      if (isQuiet(backlog)) break;
      if (performance.now() - began > patienceMs) {
        log("it does not become quiet; this is how it stands");
        break;
      }
      const line = backlogLine(backlog);
      if (line !== last) log(line);
      last = line;
      await delay(everyMs);
    }
    const seconds = (performance.now() - began) / 1_000;

    const proof = await audit({ nats: nc, names: mesh.names, settings, tenant: demoTenant });
    const record = await readRecord(mesh.databases.of(demoTenant), demoTenant);
    const summary: Summary = {
      rows: counts.rows,
      refused: counts.refused,
      accepted: proof.accepted,
      merged: proof.merged,
      completed: proof.completed,
      dead: proof.dead,
      mockups: record.mockups,
      outbox: record.outbox,
      leadsPerSecond: Math.round(counts.accepted / seconds),
      conservation: proof.ok ? "ok" : "broken",
    };
    writeFileSync(join(stackDir, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
    console.log(
      told(summary, {
        ...record,
        refusedBy: counts.refusedBy,
        broken: proof.broken,
        inFlight: proof.inFlight,
        seconds,
        refusedDir: dir,
      }),
    );
    return { ok: proof.ok };
  } finally {
    await mesh.close();
  }
}

type Import = (options: Pick<ImportOptions, "file"> & Partial<ImportOptions>) => Promise<Counts>;

async function takeIn(
  { apiUrl, apiKey, dir, log }: Pick<DemoOptions, "apiUrl" | "apiKey" | "log"> & { dir: string },
  importOne: Import,
): Promise<Counts> {
  const counts = noCounts();
  const add = (more: Counts) => {
    counts.rows += more.rows;
    counts.accepted += more.accepted;
    counts.refused += more.refused;
    for (const [reason, count] of Object.entries(more.refusedBy))
      counts.refusedBy[reason] = (counts.refusedBy[reason] ?? 0) + count;
  };
  const leads = [...generateLeads({ count: generated })];
  add(await post(apiUrl, apiKey, leads.slice(0, oneByOne)));
  log(`${oneByOne} generated leads sent one by one to POST ${apiUrl}/v1/leads`);
  const file = join(dir, "generated.ndjson");
  writeFileSync(
    file,
    leads
      .slice(oneByOne)
      .map((lead) => `${JSON.stringify(lead)}\n`)
      .join(""),
  );
  log(`importing ${generated - oneByOne} generated leads`);
  add(await importOne({ file, source: "generated" }));
  for (const { file: name, options } of lists) {
    const path = join(realLists, name);
    if (!existsSync(path)) {
      log(`${name} is not there: left out`);
      continue;
    }
    log(`importing ${name}`);
    add(await importOne({ file: path, ...options }));
  }
  return counts;
}

/** Sends leads as a program would; a 429 is waited out as it says. */
async function post(apiUrl: string, apiKey: string, leads: readonly object[]): Promise<Counts> {
  const counts = noCounts();
  for (const lead of leads) {
    for (;;) {
      const answer = await fetch(`${apiUrl}/v1/leads`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify(lead),
      });
      if (answer.status === 429 || answer.status === 503) {
        await delay(Number(answer.headers.get("retry-after") ?? 1) * 1_000);
        continue;
      }
      counts.rows++;
      if (answer.status === 202) counts.accepted++;
      else if (answer.status === 422) {
        const { faults = [] } = (await answer.json()) as { faults?: Fault[] };
        countRefused(counts, faults);
      } else throw new Error(`POST /v1/leads answered ${answer.status}: ${await answer.text()}`);
      break;
    }
  }
  return counts;
}

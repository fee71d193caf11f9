import { Mailbox, mailSettings } from "../test/support/mail.ts";
import { caller, exercise, type Known, listQueries, secrets } from "./growth/exercise.ts";
import { fill, fillBeside } from "./growth/fill.sql.ts";
import { watchStatements } from "./growth/plans.sql.ts";
import { liveTimes } from "./lanes/live-times.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { percentile } from "./pipeline/percentile.ts";
import { type ProcessMesh, startProcessMesh } from "./processes/mesh.ts";
import { atMost, type Bench, figure, type Row } from "./row.ts";
import { startWorld } from "./world/world.ts";

const bench = "growth";
const tenant = "known";
/** What more leads on record may cost. */
const most = 1.25;
const listGoalMs = 50;
/** What an answer that is none counts as. */
const noAnswerMs = 60_000;
/** Leads that are imported before anything is measured, and of which copies are made. */
const warmUp = 2_000;
const importedLeads = (short: boolean) => (short ? 2_000 : 20_000);
const liveLeads = (short: boolean) => (short ? 60 : 400);
/** In a smaller record reading a table from end to end can be the cheaper plan: scans are told, not judged. */
const judgedFrom = 1_000_000;

/**
 * Leads a second and the time of a live lead with no lead and with many on record (a million; by hand
 * `--rows 10000000`, which measures at a million, too); then every statement of the product with its generic plan, and
 * the time of every query that lists. While it is measured fetching is off, nothing is sent, and the thresholds are at 0: each
 * lead passes all work of every stage. For the statements the mesh is started again with web sites, PageSpeed and a mail
 * server. The mesh is three processes, the API and one a lane.
 */
export const run: Bench = async ({ short, rows: leads = short ? 50_000 : 1_000_000, log }) => {
  const sizes = [...new Set([0, Math.min(1_000_000, leads), leads])];
  const env = {
    ...{ LEADS_AUDIT_THRESHOLD: "0", LEADS_EMAIL_THRESHOLD: "0" },
    ...{ LEADS_LINK_SECRETS: secrets.links, LEADS_MAIL_EVENT_SECRETS: secrets.events },
  };
  await using box = await Mailbox.open();
  await using world = await startWorld();
  const outside = { ...world.env, ...mailSettings(box.url, { LEADS_LINK_SECRETS: secrets.links }) };
  await using mesh = await startProcessMesh({ env });
  await fillBeside(mesh.knex, tenant);
  await rehearse(mesh, box, outside, log);
  await mesh.importLeads(freshLeads(tenant, warmUp, "warm"));
  await mesh.ended(tenant, warmUp);
  // Live leads have a process of their own: it has had none yet.
  await mesh.importLeads(freshLeads("warm", importedLeads(short), "warm"));
  await mesh.ended("warm", importedLeads(short));
  await liveTimes(mesh, { tenant: "warm", seed: "warm-live", count: liveLeads(short) });
  const rows: Row[] = [];
  const measured: Cost[] = [];
  for (const [n, size] of sizes.entries()) {
    if (size > 0) await fill(mesh.knex, tenant, size - sizes[n - 1]!, log);
    const cost = await costAt(mesh, size, short);
    measured.push(cost);
    log(`with ${size} leads: ${Math.round(cost.rate)} leads/s, a live lead's p95 ${cost.p95.toFixed(1)} ms`);
    rows.push(
      figure(bench, `import with ${size} leads on record`, "leads/s", cost.rate),
      figure(bench, `live lead with ${size} leads on record, p50`, "ms", cost.p50),
      figure(bench, `live lead with ${size} leads on record, p95`, "ms", cost.p95),
    );
    if (size === 0) continue;
    rows.push(
      atMost(bench, `cost of a lead, ${size} on record / none`, "ratio", measured[0]!.rate / cost.rate, most),
      atMost(bench, `live p95, ${size} on record / none`, "ratio", cost.p95 / measured[0]!.p95, most),
    );
  }
  try {
    await mesh.restart(outside);
    rows.push(...(await queries(mesh, box, { tenant, run: "end", short, judges: leads >= judgedFrom, log })).rows);
  } catch (error) {
    // What took hours to measure is told all the same.
    log((error as Error).stack!);
    rows.push(atMost(bench, "statements of the product that could not be looked at", "faults", 1, 0));
  }
  return rows;
};

/** All that comes at the end, with hardly a lead on record: what fails then fails now. */
async function rehearse(
  mesh: ProcessMesh,
  box: Mailbox,
  outside: Record<string, string>,
  log: (line: string) => void,
): Promise<void> {
  const rehearsing = "rehearsal";
  await mesh.importLeads(freshLeads(rehearsing, warmUp, rehearsing));
  await mesh.ended(rehearsing, warmUp);
  await fill(mesh.knex, rehearsing, warmUp, log);
  await mesh.restart(outside);
  const { faults, scans } = await queries(mesh, box, {
    ...{ tenant: rehearsing, run: rehearsing, short: true, judges: false },
    log: (line) => log(`rehearsal: ${line}`),
  });
  for (const scan of scans) log(`rehearsal: scans ${scan}`);
  if (faults.length > 0) throw new Error(`the rehearsal failed:\n${faults.join("\n")}`);
  await mesh.restart({});
}

interface Cost {
  rate: number;
  p50: number;
  p95: number;
}

async function costAt(mesh: ProcessMesh, size: number, short: boolean): Promise<Cost> {
  const importing = `import${size}`;
  const count = importedLeads(short);
  // Of tenants of their own, which are counted quickly; the record is one for all.
  const leads = [...freshLeads(importing, count, importing)];
  const since = performance.now();
  await mesh.importLeads(leads);
  await mesh.ended(importing, count);
  const rate = count / ((performance.now() - since) / 1_000);
  const times = await liveTimes(mesh, { tenant: `live${size}`, seed: `live${size}`, count: liveLeads(short) });
  return { rate, p50: percentile(times, 0.5), p95: percentile(times, 0.95) };
}

interface Asked {
  tenant: string;
  /** Tells this exercise from another. */
  run: string;
  short: boolean;
  /** Scans are judged, not told alone. */
  judges: boolean;
  log(line: string): void;
}

/** Every statement that the whole API and all stages make, and every list; what failed, and what scans large tables, in words. */
async function queries(
  mesh: ProcessMesh,
  box: Mailbox,
  { tenant, run, short, judges, log }: Asked,
): Promise<{ rows: Row[]; faults: string[]; scans: string[] }> {
  const call = caller(mesh, await mesh.key(tenant));
  const page = (await (await call("GET", "/v1/leads?status=completed&limit=200")).json()) as { items: any[] };
  const known = { tenant, ...knownOf(page.items) };
  const statements = await watchStatements(mesh.knex);
  const failed = await exercise(mesh, { call, box, known, run, log });
  const planned = await statements();
  log(`${planned.length} statements ran, ${planned.reduce((sum, { calls }) => sum + calls, 0)} times`);
  const lists: Row[] = [];
  for (const { name, path } of listQueries(known)) {
    const times: number[] = [];
    for (let n = 0; n < (short ? 20 : 100); n++) {
      const began = performance.now();
      const answer = await call("GET", path);
      await answer.arrayBuffer();
      times.push(answer.ok ? performance.now() - began : noAnswerMs);
    }
    times.sort((a, b) => a - b);
    if (times.at(-1) === noAnswerMs) failed.push(`${name}: not every answer was good`);
    lists.push(atMost(bench, `${name}, p95`, "ms", percentile(times, 0.95), listGoalMs));
  }
  for (const line of failed) log(line);
  const scanning = planned.filter(({ scans }) => scans.length > 0);
  const unplanned = planned.filter(({ fault }) => fault !== undefined);
  const rows = [
    figure(bench, "statements of the product", "statements", planned.length),
    judges
      ? atMost(bench, "statements that scan a large table", "statements", scanning.length, 0)
      : figure(bench, "statements that scan a large table", "statements", scanning.length),
    atMost(bench, "statements that could not be planned", "statements", unplanned.length, 0),
    atMost(bench, "requests that failed", "requests", failed.length, 0),
    ...lists,
    ...planned.map(({ text, meanMs, plan, fault }) =>
      figure(bench, `statement: ${text.replace(/\s+/g, " ")} | plan: ${fault ?? plan}`, "ms, mean", meanMs),
    ),
  ];
  return {
    rows,
    faults: [...failed, ...unplanned.map(({ text, fault }) => `${fault}: ${text}`)],
    scans: scanning.map(({ text, scans }) => `${scans.join(", ")}: ${text}`),
  };
}

/** A lead that has all that is looked for, and another. */
function knownOf(items: readonly any[]): Omit<Known, "tenant"> {
  const [found, other] = items.filter(({ fields }) => fields.email && fields.phone);
  if (!found || !other)
    throw new Error("too few leads on the first page have both an e-mail address and a phone number");
  return { leadId: found.id, erasable: other.id, email: found.fields.email, phone: found.fields.phone };
}

import { caller, exercise, type Known, listQueries, secrets } from "./growth/exercise.ts";
import { fill } from "./growth/fill.sql.ts";
import { plannedStatements, watchStatements } from "./growth/plans.sql.ts";
import { liveTimes } from "./lanes/live-times.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { percentile } from "./pipeline/percentile.ts";
import { type ProcessMesh, startProcessMesh } from "./processes/mesh.ts";
import { atMost, type Bench, figure, type Row } from "./row.ts";

const bench = "growth";
const tenant = "known";
/** What more leads on record may cost. */
const most = 1.25;
const listGoalMs = 50;
/** In a smaller record reading a table from end to end can be the cheaper plan: scans are told, not judged. */
const judgedFrom = 1_000_000;

/**
 * Leads a second and the time of a live lead with no lead and with many on record (a million; by hand
 * `--rows 10000000`, which measures at a million, too); then every statement of the product with its generic plan, and
 * the time of every query that lists. Fetching is off, and the thresholds are at 0: each lead passes all work of every
 * stage. The mesh is three processes, the API and one a lane.
 */
export const run: Bench = async ({ short, rows: leads = short ? 50_000 : 1_000_000, log }) => {
  const sizes = [...new Set([0, Math.min(1_000_000, leads), leads])];
  const env = {
    ...{ LEADS_AUDIT_THRESHOLD: "0", LEADS_EMAIL_THRESHOLD: "0" },
    ...{ LEADS_LINK_SECRETS: secrets.links, LEADS_MAIL_EVENT_SECRETS: secrets.events },
  };
  await using mesh = await startProcessMesh({ env });
  await mesh.importLeads(freshLeads(tenant, 2_000, "warm"));
  await mesh.ended(tenant, 2_000);
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
  return [...rows, ...(await queries(mesh, { short, judges: leads >= judgedFrom, log }))];
};

interface Cost {
  rate: number;
  p50: number;
  p95: number;
}

async function costAt(mesh: ProcessMesh, size: number, short: boolean): Promise<Cost> {
  const importing = `import${size}`;
  const count = short ? 2_000 : 20_000;
  // Of tenants of their own, which are counted quickly; the record is one for all.
  const leads = [...freshLeads(importing, count, importing)];
  const since = performance.now();
  await mesh.importLeads(leads);
  await mesh.ended(importing, count);
  const rate = count / ((performance.now() - since) / 1_000);
  const times = await liveTimes(mesh, { tenant: `live${size}`, seed: `live${size}`, count: short ? 60 : 400 });
  return { rate, p50: percentile(times, 0.5), p95: percentile(times, 0.95) };
}

/** Every statement that the whole API and all stages make, and every list. */
async function queries(
  mesh: ProcessMesh,
  { short, judges, log }: { short: boolean; judges: boolean; log(line: string): void },
): Promise<Row[]> {
  const call = caller(mesh, await mesh.key(tenant));
  const page = (await (await call("GET", "/v1/leads?status=completed&limit=200")).json()) as { items: any[] };
  const known = knownOf(page.items);
  await watchStatements(mesh.knex);
  await exercise(call, known);
  // What the stages and the recorder do with them.
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const planned = await plannedStatements(mesh.knex);
  log(`${planned.length} statements ran, ${planned.reduce((sum, { calls }) => sum + calls, 0)} times`);
  const scanning = planned.filter(({ scans }) => scans.length > 0).length;
  const lists: Row[] = [];
  for (const { name, path } of listQueries(known)) {
    const times: number[] = [];
    for (let n = 0; n < (short ? 20 : 100); n++) {
      const began = performance.now();
      const answer = await call("GET", path);
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    lists.push(atMost(bench, `${name}, p95`, "ms", percentile(times, 0.95), listGoalMs));
  }
  return [
    figure(bench, "statements of the product", "statements", planned.length),
    judges
      ? atMost(bench, "statements that scan a large table", "statements", scanning, 0)
      : figure(bench, "statements that scan a large table", "statements", scanning),
    atMost(bench, "statements that could not be planned", "statements", planned.filter((p) => p.fault).length, 0),
    ...lists,
    ...planned.map(({ text, meanMs, plan, fault }) =>
      figure(bench, `statement: ${text.replace(/\s+/g, " ")} | plan: ${fault ?? plan}`, "ms, mean", meanMs),
    ),
  ];
}

/** A lead that has all that is looked for, and another. */
function knownOf(items: readonly any[]): Known {
  const [found, other] = items.filter(({ fields }) => fields.email && fields.phone);
  if (!found || !other)
    throw new Error("too few leads on the first page have both an e-mail address and a phone number");
  return { leadId: found.id, erasable: other.id, email: found.fields.email, phone: found.fields.phone };
}

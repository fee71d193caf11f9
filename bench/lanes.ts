import { liveTimes } from "./lanes/live-times.ts";
import { countEnded } from "./pipeline/ended.sql.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { percentile } from "./pipeline/percentile.ts";
import { type ProcessMesh, startProcessMesh } from "./processes/mesh.ts";
import { atLeast, atMost, type Bench, figure } from "./row.ts";

/**
 * Invariant 10 in figures: live leads, and the import of a small tenant, alone and behind a large tenant's import. A live
 * lead's time is from its acceptance to the last stage's verdict.
 */
export const run: Bench = async ({ short, rows: backlog = short ? 60_000 : 1_000_000, log }) => {
  await using mesh = await startProcessMesh();
  const live = short ? 100 : 400;
  const small = short ? 5_000 : 20_000;
  await mesh.importLeads(freshLeads("warm", 2_000, "warm"));
  await mesh.ended("warm", 2_000);

  const idle = await liveTimes(mesh, { tenant: "small", seed: "idle", count: live });
  const alone = await importRate(mesh, "alone", small);
  log(`${backlog} leads of another tenant are put into the intake`);
  await mesh.importLeads(freshLeads("large", backlog, "large"));
  const behind = await liveTimes(mesh, { tenant: "small", seed: "behind", count: live });
  const beside = await importRate(mesh, "beside", small);
  const left = backlog - (await countEnded(mesh.knex, "large"));
  if (left <= 0) throw new Error("the large import ended before all was measured: give it more --rows");
  return [
    figure("lanes", "live lead, idle, p50", "ms", percentile(idle, 0.5)),
    figure("lanes", "live lead, idle, p95", "ms", percentile(idle, 0.95)),
    figure("lanes", `live lead behind ${backlog} bulk leads, p50`, "ms", percentile(behind, 0.5)),
    figure("lanes", `live lead behind ${backlog} bulk leads, p95`, "ms", percentile(behind, 0.95)),
    atMost("lanes", "live p95, behind / idle", "ratio", percentile(behind, 0.95) / percentile(idle, 0.95), 2),
    figure("lanes", "a small import alone", "leads/s", alone),
    figure("lanes", "a small import behind the large one", "leads/s", beside),
    atLeast("lanes", "small import, behind / alone", "ratio", beside / alone, 0.5),
    figure("lanes", "of the large import not ended by then", "leads", left),
  ];
};

async function importRate(mesh: ProcessMesh, seed: string, count: number): Promise<number> {
  const leads = [...freshLeads(seed, count, seed)];
  const since = performance.now();
  await mesh.importLeads(leads);
  await mesh.ended(seed, count);
  return count / ((performance.now() - since) / 1_000);
}

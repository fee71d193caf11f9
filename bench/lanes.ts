import { liveTimes } from "./lanes/live-times.ts";
import { countEnds } from "./pipeline/ended.sql.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { percentile } from "./pipeline/percentile.ts";
import { type ProcessMesh, startProcessMesh } from "./processes/mesh.ts";
import { atLeast, atMost, type Bench, figure, median } from "./row.ts";

/** Measurements of each figure, one after another: their median counts. */
const times = 3;

/**
 * Invariant 10 in figures: live leads, and the import of a small tenant, alone and behind a large tenant's import. A live
 * lead's time is from its acceptance to the last stage's verdict.
 */
export const run: Bench = async ({ short, rows: backlog = short ? 100_000 : 1_000_000, log }) => {
  await using mesh = await startProcessMesh();
  const count = short ? 100 : 400;
  const small = short ? 5_000 : 20_000;
  const live = (when: string) => thrice((n) => liveTimes(mesh, { tenant: "small", seed: `${when}-${n}`, count }));
  const imports = (when: string) => thrice((n) => importRate(mesh, `${when}-${n}`, small));
  // Each lane has a process of its own: both have compiled what they run, and have their plans and connections.
  await mesh.importLeads(freshLeads("warm", 2_000, "warm"));
  await mesh.ended("warm", 2_000);
  await liveTimes(mesh, { tenant: "warm", seed: "warm-live", count });

  const idle = await live("idle");
  const alone = median(await imports("alone"));
  log(`${backlog} leads of another tenant are put into the intake`);
  await mesh.importLeads(freshLeads("large", backlog, "large"));
  const behind = await live("behind");
  const beside = median(await imports("beside"));
  const left = backlog - (await countEnds(mesh.knex, "large")).ended;
  if (left <= 0) throw new Error("the large import ended before all was measured: give it more --rows");
  const at = (runs: readonly number[][], share: number) => median(runs.map((ms) => percentile(ms, share)));
  return [
    figure("lanes", "live lead, idle, p50", "ms", at(idle, 0.5)),
    figure("lanes", "live lead, idle, p95", "ms", at(idle, 0.95)),
    figure("lanes", `live lead behind ${backlog} bulk leads, p50`, "ms", at(behind, 0.5)),
    figure("lanes", `live lead behind ${backlog} bulk leads, p95`, "ms", at(behind, 0.95)),
    atMost("lanes", "live p95, behind / idle", "ratio", at(behind, 0.95) / at(idle, 0.95), 2),
    figure("lanes", "a small import alone", "leads/s", alone),
    figure("lanes", "a small import behind the large one", "leads/s", beside),
    atLeast("lanes", "small import, behind / alone", "ratio", beside / alone, 0.5),
    figure("lanes", "of the large import not ended by then", "leads", left),
  ];
};

async function thrice<T>(measure: (n: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let n = 0; n < times; n++) all.push(await measure(n));
  return all;
}

async function importRate(mesh: ProcessMesh, seed: string, count: number): Promise<number> {
  const leads = [...freshLeads(seed, count, seed)];
  const since = performance.now();
  await mesh.importLeads(leads);
  await mesh.ended(seed, count);
  return count / ((performance.now() - since) / 1_000);
}

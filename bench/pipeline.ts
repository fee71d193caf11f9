import { freshLeads, startRealMesh } from "./pipeline/real-mesh.ts";
import { type Bench, figure } from "./row.ts";

/**
 * All real stages with fetching off, in one process, an import on the bulk lane: from the first lead accepted to the last
 * one ended in the record. Load generator, servers and mesh share the machine.
 */
export const run: Bench = async ({ short, log }) => {
  await using mesh = await startRealMesh();
  const count = short ? 10_000 : 40_000;
  const warmUp = 2_000;
  await mesh.importLeads(freshLeads("bench", warmUp, "first"));
  await mesh.ended("bench", warmUp);
  const leads = [...freshLeads("bench", count, "then")];
  const since = performance.now();
  await mesh.importLeads(leads);
  await mesh.ended("bench", warmUp + count);
  const rate = count / ((performance.now() - since) / 1_000);
  log(`${count} leads at ${Math.round(rate)} leads/s`);
  return [figure("pipeline", "all stages, fetching off", "leads/s", rate)];
};

import { nodesOf } from "../bin/stack/mesh.ts";
import { growthRows } from "./memory/growth-rows.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { startProcessMesh } from "./processes/mesh.ts";
import { Sampler } from "./processes/usage.ts";
import type { Bench } from "./row.ts";

const tenant = "bench";

/**
 * The memory of every process while leads pass, a process a service (`npm start -- --separate`): flat, by the mean over
 * the time in which the last quarter of the leads ended, against the second quarter. Fetching is off.
 */
export const run: Bench = async ({ short, rows: leads = short ? 50_000 : 1_000_000, log }) => {
  await using mesh = await startProcessMesh({ nodes: nodesOf(true) });
  await mesh.importLeads(freshLeads("warm", 1_000, "warm"));
  await mesh.ended("warm", 1_000);
  using sampler = new Sampler(() => mesh.pids());
  /** When each quarter of the leads had ended, ms since 1970. */
  const quarters = [Date.now()];
  const noteQuarter = (ended: number) => {
    for (; quarters.length <= Math.floor((ended / leads) * 4); quarters.push(Date.now()))
      log(`${ended} of ${leads} leads have passed`);
  };
  await Promise.all([mesh.importLeads(freshLeads(tenant, leads, "passing")), mesh.ended(tenant, leads, noteQuarter)]);
  sampler.look();
  const within = (quarter: number) =>
    sampler.samples.filter(({ at }) => at >= quarters[quarter - 1]! && at <= quarters[quarter]!);
  return growthRows(within(2), within(4));
};

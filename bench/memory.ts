import { setTimeout as delay } from "node:timers/promises";
import { nodesOf } from "../bin/stack/mesh.ts";
import { countEnded } from "./pipeline/ended.sql.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { startProcessMesh } from "./processes/mesh.ts";
import { type Sample, Sampler } from "./processes/usage.ts";
import { atMost, type Bench, figure, type Row } from "./row.ts";

const bench = "memory";
const tenant = "bench";
/** What the last quarter of the leads may take more than the second did. */
const most = 1.1;

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
  const importing = mesh.importLeads(freshLeads(tenant, leads, "passing"));
  importing.catch(() => {}); // Told below.
  for (let ended = 0; ended < leads; ) {
    await delay(500);
    ended = await countEnded(mesh.knex, tenant);
    for (; quarters.length <= Math.floor((ended / leads) * 4); quarters.push(Date.now())) {
      log(`${ended} of ${leads} leads have passed`);
    }
  }
  await importing;
  sampler.look();
  const within = (quarter: number) =>
    sampler.samples.filter(({ at }) => at >= quarters[quarter - 1]! && at <= quarters[quarter]!);
  const [second, last] = [within(2), within(4)];
  return [...sampler.samples.at(-1)!.processes.keys()].flatMap((name) => rowsOf(name, second, last));
};

function rowsOf(name: string, second: readonly Sample[], last: readonly Sample[]): Row[] {
  const [before, after] = [meanOf(name, second), meanOf(name, last)];
  const then = figure(bench, `${name}, second quarter`, "MB", before / 2 ** 20);
  // Its buffers, which all of its processes share, fill with the record until they are as large as they were set.
  if (name === "postgres") return [then, figure(bench, `${name}, last quarter / second`, "ratio", after / before)];
  return [then, atMost(bench, `${name}, last quarter / second`, "ratio", after / before, most)];
}

function meanOf(name: string, samples: readonly Sample[]): number {
  const sizes = samples.flatMap(({ processes }) => processes.get(name)?.memoryBytes ?? []);
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

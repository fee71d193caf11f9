import { setTimeout as delay } from "node:timers/promises";
import { brokenBy } from "../latency/steps.ts";
import { timesOf } from "../pipeline/times.ts";
import type { SteadyLoad } from "./load.ts";
import type { Watch } from "./watch.ts";

/** Leads a minute that it begins with, and what no mesh on one machine gets to. */
const firstPerMinute = 1_500;
const mostPerMinute = 1_000_000;
const stepSeconds = 20;
const warmUpSteps = 10;
const factor = 1.5;
/** How long what is on its way is waited for, so that a step does not begin with the backlog of the one before, ms. */
const drainMs = 120_000;

/**
 * Raises the rate by half until the mesh breaks (bench/latency/steps.ts says when), then tries once between the last rate
 * that held and that. The breaking point is the lowest rate that broke, in leads a minute. A rate has broken it when it did
 * so twice: what else the machine did in one moment is not meant.
 */
export async function breakingPoint(load: SteadyLoad, watch: Watch, log: (line: string) => void): Promise<number> {
  const bears = async (perMinute: number) =>
    (await holds(load, watch, perMinute, log)) || (await holds(load, watch, perMinute, log));
  // The first leads find nothing compiled and no connection open: on a slow machine that takes more than one step.
  for (let n = 0; n < warmUpSteps && !(await holds(load, watch, firstPerMinute, log)); n++);
  for (let perMinute: number = firstPerMinute; perMinute <= mostPerMinute; perMinute *= factor) {
    if (await bears(perMinute)) continue;
    const between = perMinute / Math.sqrt(factor);
    return (await bears(between)) ? perMinute : between;
  }
  throw new Error(`not broken at ${mostPerMinute} leads a minute`);
}

async function holds(load: SteadyLoad, watch: Watch, perMinute: number, log: (line: string) => void): Promise<boolean> {
  load.takeSamples();
  await watch.settle(await load.takeAccepted());
  const before = watch.open.length;
  load.perMinute = perMinute;
  await delay(stepSeconds * 1_000);
  load.perMinute = 0;
  await delay(1_000);
  const samples = load.takeSamples();
  const accepted = await load.takeAccepted();
  await watch.settle(accepted);
  const broken = brokenBy({
    errors: samples.filter(({ ok }) => !ok).length / Math.max(1, samples.length),
    sentShare: 1,
    behind: Math.max(0, watch.open.length - before) / Math.max(1, accepted.length),
    api: timesOf(samples.map(({ ms }) => ms).sort((a, b) => a - b)),
  });
  log(`${Math.round(perMinute)} leads a minute: ${broken === undefined ? "holds" : `broken by ${broken}`}`);
  for (const until = Date.now() + drainMs; watch.open.length > 0 && Date.now() < until; await delay(500))
    await watch.settle(await load.takeAccepted());
  return broken === undefined;
}

import { setTimeout as delay } from "node:timers/promises";
import { nodesOf } from "../../bin/stack/mesh.ts";
import type { Lane } from "../../config/names.ts";
import { pipeline } from "../../config/pipeline.ts";
import { consumerInfo } from "../../mixins/jetstream.ts";
import { leadIdOf } from "../../services/intake/ids.ts";
import { endToEndMs, shareUnread } from "../pipeline/ended.sql.ts";
import { type Times, timesOf } from "../pipeline/times.ts";
import type { ProcessMesh } from "../processes/mesh.ts";
import { type Load, loadBetween, type Sampler } from "../processes/usage.ts";
import { toldLeads } from "../world/told-leads.ts";
import type { LoadGenerator, LoadResult } from "./load.ts";

/** What is loaded, by whom, and who looks on. */
export interface Place {
  mesh: ProcessMesh;
  generator: LoadGenerator;
  sampler: Sampler;
  tenant: string;
  key: string;
}

/** A constant rate over some time, and what came of it. */
export interface Step extends Pick<LoadResult, "sent"> {
  perMinute: number;
  /** Ids of the leads that were answered 202. */
  accepted: string[];
  api: Times;
  /** From acceptance to the last stage's verdict, by the record; of those that have not ended, what they waited so far. */
  endToEnd: Times;
  /** Share of those sent that were not answered 202. */
  errors: number;
  /** Share of those that were to be sent which were. */
  sentShare: number;
  /** Share of those accepted that had not ended when the sending had, by a second. */
  behind: number;
  /** Share of those that have ended whose web site was not read or not measured. */
  unread: number;
  load: Load;
  /** Where most leads wait at its end. */
  fullest: string;
}

/** Share of a minute's arrivals that may be on their way when the sending has ended: more is a backlog that grows. */
const onTheWay = 0.1;
/** An API that answers later than this at p95 has broken, ms. */
const apiGoalMs = 100;
export const mostErrors = 0.001;

let serial = 0;

/** How long what is on its way is waited for, so that a step does not begin with the backlog of the one before, ms. */
const drainMs = 60_000;

/** Sends for so many seconds. `drains`: waits until its leads have ended, too; else a second. */
export async function step(place: Place, perMinute: number, seconds: number, drains = true): Promise<Step> {
  const { mesh, generator, sampler, tenant, key } = place;
  const source = `s${serial++}`;
  const wanted = (generator.rateOf(perMinute) / 60) * seconds;
  const bodies = Array.from(toldLeads(source, Math.ceil(wanted * 1.1) + 10), (lead) => JSON.stringify(lead));
  const from = Date.now();
  const result = await generator.send({ url: mesh.url, key, perMinute, seconds, bodies });
  sampler.look();
  const load = loadBetween(sampler.samples, from, Date.now());
  const fullest = await fullestStage(mesh, "live");
  await delay(1_000);
  let ended = await endToEndMs(mesh.knex, tenant, source);
  const left = () => Math.max(0, result.accepted.length - ended.length);
  const behind = left() / Math.max(1, result.accepted.length);
  for (const until = Date.now() + drainMs; drains && left() > 0 && Date.now() < until; ) {
    await delay(500);
    ended = await endToEndMs(mesh.knex, tenant, source);
  }
  return {
    perMinute,
    sent: result.sent,
    // As told-leads.ts has them.
    accepted: result.accepted.map((place) => leadIdOf(tenant, source, String(place))),
    api: timesOf(result.times),
    endToEnd: timesOf([...ended, ...Array.from({ length: left() }, () => Date.now() - from)]),
    errors: result.sent === 0 ? 1 : 1 - result.accepted.length / result.sent,
    sentShare: result.sent / wanted,
    behind,
    unread: await shareUnread(mesh.knex, tenant, [source]),
    load,
    fullest,
  };
}

/** Why a step is more than the mesh can bear; undefined where it is not. */
export function brokenBy({
  errors,
  sentShare,
  behind,
  api,
}: Pick<Step, "errors" | "sentShare" | "behind" | "api">): string | undefined {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  if (errors >= mostErrors) return `${percent(errors)} errors`;
  if (behind > onTheWay) return `a backlog that grows: ${percent(behind)} of the leads had not ended`;
  if (api.p95 > apiGoalMs) return `the API's p95 of ${Math.round(api.p95)} ms`;
  // Connections wait for answers, so that a late mesh is sent less.
  if (sentShare < 0.9) return `answers so late that only ${percent(sentShare)} could be sent`;
  return undefined;
}

const meshNodes = new Set(nodesOf(false).map(({ name }) => name));

/** The resource that was used up, with its figure. */
export function resourceOf({ load, fullest }: Step): string {
  const [busiest, cores] = [...load.cores].sort(([, a], [, b]) => b - a)[0] ?? ["?", 0];
  const told = `busiest: ${busiest} at ${cores.toFixed(2)} of a core; most leads wait before ${fullest}`;
  if (load.freeMemory < 0.05) return `memory (${(load.freeMemory * 100).toFixed(1)} % free; ${told})`;
  if (load.busy > 0.9) return `CPU (${Math.round(load.busy * 100)} % of all cores; ${told})`;
  // JavaScript runs on one thread of it.
  if (meshNodes.has(busiest) && cores > 0.8) return `the event loop of the process ${busiest} (${told})`;
  return `none of the machine's: waits for disk or providers (CPU ${Math.round(load.busy * 100)} %; ${told})`;
}

async function fullestStage(mesh: ProcessMesh, lane: Lane): Promise<string> {
  const waiting = await Promise.all(
    pipeline.map(async ({ name }) => {
      const { stream, consumer } = mesh.names.mailbox(name);
      const { num_pending, num_ack_pending } = await consumerInfo(mesh.nats, stream, consumer(lane));
      return { name, count: num_pending + num_ack_pending };
    }),
  );
  return waiting.sort((a, b) => b.count - a.count)[0]!.name;
}

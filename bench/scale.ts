import { setTimeout as delay } from "node:timers/promises";
import { type MeshProcess, nodesOf } from "../bin/stack/mesh.ts";
import { until } from "../bin/stack/process.ts";
import { lanes } from "../config/names.ts";
import { consumerInfo, jsApi } from "../mixins/jetstream.ts";
import { countEnds, shareUnread } from "./pipeline/ended.sql.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { type ProcessMesh, startProcessMesh } from "./processes/mesh.ts";
import { atLeast, atMost, type Bench, type BenchOptions, figure, mostUnread } from "./row.ts";
import { hearLeaving } from "./scale/leaving.ts";
import { startWorld } from "./world/world.ts";

const bench = "scale";
const stage = "enrich";
/** What an instance of the slowest stage runs: the stage, and the providers that it calls, which it takes nearest by. */
const instance = new Set(["enrich", "site", "pagespeed"]);
const providersMs = 200;
/**
 * PageSpeed calls a day: Google's usual quota, with which an instance asks for sixteen sites at once. With as many as the
 * other benches have an instance uses up a core, and two of them with all else the machine: that is no limit of a stage.
 */
const callsADay = 25_000;
/** Times that the second instance comes and goes at the most. */
const mostComings = 5;

/**
 * The slowest stage, which waits for web sites and PageSpeed, in one and in two processes, all else in one more: leads a
 * second, and that none is delivered again when the second comes, and goes by SIGTERM, under load.
 */
export const run: Bench = async (options) => {
  const count = options.short ? 1_000 : 4_000;
  const all = nodesOf(true);
  const slow = all.filter(({ name }) => instance.has(name)).flatMap(({ files }) => files);
  const rest = all.filter(({ name }) => !instance.has(name)).flatMap(({ files }) => files);
  const second: MeshProcess = { name: "second", files: slow };
  await using world = await startWorld(providersMs);
  await using mesh = await startProcessMesh({
    env: { ...world.env, LEADS_PAGESPEED_DAILY: String(callsADay) },
    nodes: [
      { name: "rest", files: rest },
      { name: "first", files: slow },
    ],
  });
  await rateOf(mesh, "warm", 200);
  const one = await rateOf(mesh, "one", count);
  options.log(`one instance: ${Math.round(one)} leads/s`);
  const started = mesh.start(second);
  const key = await mesh.key("operators");
  await both(mesh, key);
  const two = await rateOf(mesh, "two", count);
  options.log(`two instances: ${Math.round(two)} leads/s`);
  await started.stop();
  const { redelivered, comings } = await comingAndGoing(mesh, key, second, options);
  const unread = await Promise.all(["one", "two"].map((tenant) => shareUnread(mesh.knex, tenant, [tenant])));
  return [
    figure(bench, `one instance of ${stage}, providers at ${providersMs} ms`, "leads/s", one),
    figure(bench, `two instances of ${stage}, providers at ${providersMs} ms`, "leads/s", two),
    atLeast(bench, "two instances / one", "ratio", two / one, 1.8),
    atMost(bench, "sites not read or not measured", "share", Math.max(...unread), mostUnread),
    atLeast(bench, "comings and goings of a second instance with leads in hand", "times", comings, 1),
    atMost(bench, "envelopes delivered again meanwhile", "envelopes", redelivered, 0),
  ];
};

/** Leads with a site each of one tenant, from the first one taken in to the last one's end. */
async function rateOf(mesh: ProcessMesh, tenant: string, count: number): Promise<number> {
  const leads = [...withSites(tenant, count)];
  const since = performance.now();
  await mesh.importLeads(leads);
  await mesh.ended(tenant, count);
  return count / ((performance.now() - since) / 1_000);
}

function* withSites(tenant: string, count: number) {
  let n = 0;
  for (const lead of freshLeads(tenant, count, tenant)) {
    const host = `dated-${tenant}-${n++}.example`;
    lead.fields = { ...lead.fields, website: `http://${host}/`, domain: host };
    yield lead;
  }
}

/** While an import passes a second instance comes, works, and is told to go, again and again. One with no lead in hand shows nothing. */
async function comingAndGoing(
  mesh: ProcessMesh,
  key: string,
  second: MeshProcess,
  { short, log }: BenchOptions,
): Promise<{ redelivered: number; comings: number }> {
  const tenant = "rolling";
  // Enough for a few comings of a process, which takes seconds to start; all together are within the day's calls.
  const count = short ? 2_000 : 12_000;
  const before = await deliveries(mesh);
  let comings = 0;
  const passing = rateOf(mesh, tenant, count);
  // Told when it is awaited.
  passing.catch(() => {});
  await using leaving = await hearLeaving(mesh.settings, stage);
  for (let n = 0; n < mostComings && (await countEnds(mesh.knex, tenant)).ended < count / 2; n++) {
    const node = mesh.start(second);
    await both(mesh, key);
    await delay(short ? 1_000 : 10_000);
    const code = await node.stop();
    if (code !== 0) throw new Error(`the second instance ended with ${code}: ${node.output()}`);
    const inHand = await leaving.next();
    if (inHand > 0) comings++;
    log(`a second instance came and went with ${inHand} leads in hand`);
  }
  await passing;
  const after = await deliveries(mesh);
  return { redelivered: after.delivered - before.delivered - (after.stored - before.stored), comings };
}

/** Deliveries out of the stage's mailbox and envelopes put into it so far: more of those than of these were repeats. */
async function deliveries({ nats, names }: ProcessMesh): Promise<{ delivered: number; stored: number }> {
  const { stream, consumer } = names.mailbox(stage);
  const infos = await Promise.all(lanes.map((lane) => consumerInfo(nats, stream, consumer(lane))));
  const { state } = await jsApi(nats, `STREAM.INFO.${stream}`);
  return { delivered: infos.reduce((sum, { delivered }) => sum + delivered.consumer_seq, 0), stored: state.last_seq };
}

/** Waits until two instances of the stage say that they work. */
async function both({ url }: ProcessMesh, key: string): Promise<void> {
  await until(`two instances of ${stage} work`, 60_000, async () => {
    const answer = await fetch(`${url}/v1/stages`, { headers: { authorization: `Bearer ${key}` } });
    const { stages } = (await answer.json()) as { stages: { name: string; instances: { state: string }[] }[] };
    const { instances } = stages.find(({ name }) => name === stage)!;
    return instances.filter(({ state }) => state === "working").length >= 2;
  });
}

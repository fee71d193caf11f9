import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { forward } from "../../../mixins/actor/outcome.ts";
import { metrics } from "../../../mixins/metrics.ts";
import { neverSeconds } from "../../../services/metrics/desired.ts";
import { gate, put } from "../../support/actor.ts";
import { type Child, recordFile, startWorker } from "../../support/child.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { metricsUrl, type Sample, scrape, sumOf } from "../../support/metrics.ts";
import { ownNats, testPlace } from "../../support/servers.ts";
import { acceptBulk, acceptLive, quick, quiet, someLeads, stage } from "../../support/stages.ts";

const flow = [
  { name: "one", ...quick },
  { name: "two", ...quick },
];
const service = "services/metrics/metrics.service.ts";
const urlOf = (mesh: TestMesh) => (mesh.broker.getLocalService("metrics") as unknown as { url: string }).url;
const somewhere = () => testPlace({ LEADS_METRICS_EVERY_MS: "200" });
const ofCluster = async (mesh: TestMesh) => (await scrape(`${urlOf(mesh)}/metrics`)).samples;
/** Where the processes that are listed serve their metrics. */
async function listed(mesh: TestMesh): Promise<string[]> {
  const groups = (await (await fetch(`${urlOf(mesh)}/targets`)).json()) as { targets: string[] }[];
  return groups.flatMap(({ targets }) => targets).sort();
}

describe("the service metrics", () => {
  const pausedAt = (samples: Sample[]) => sumOf(samples, "leads_paused", { stage: "one" });

  it("shows what waits, what is out and what is parked, apart, and how instances should follow", async () => {
    await using place = await somewhere();
    const work = gate();
    await using worker = await startMesh({
      place,
      flow,
      services: [
        stage("one", {
          async handle(batch) {
            await work.wait();
            return batch.map(({ lead }) => forward(lead));
          },
        }),
        stage("two", {
          handle: (batch) =>
            batch.map(({ lead }) => ({
              kind: "wait" as const,
              until: Date.now() + 3_600_000,
              reason: `${lead.leadId}`,
            })),
        }),
      ],
    });
    await using one = await startMesh({ place, flow, services: [service] });
    await one.broker.waitForServices(["one", "two"], 10_000);
    await put(worker, "two", "live", someLeads(7));
    await put(worker, "one", "bulk", someLeads(5_000));
    let samples: Sample[] = [];
    const read = async () => {
      samples = await ofCluster(one);
      return samples;
    };
    const backlog = (stage: string, lane: string, state: string) =>
      sumOf(samples, "leads_backlog_leads", { stage, lane, state });
    await eventually("the parked and those in hand are seen", async () => {
      await read();
      return backlog("two", "live", "parked") > 0 && backlog("one", "bulk", "unacknowledged") > 0;
    });
    assert.equal(backlog("one", "bulk", "pending") + backlog("one", "bulk", "unacknowledged"), 5_000);
    assert.equal(backlog("two", "live", "pending"), 0);
    assert.ok(sumOf(samples, "leads_oldest_age_seconds", { stage: "one", lane: "bulk" }) > 0);
    assert.equal(sumOf(samples, "leads_instances", { stage: "one" }), 1);
    // Nothing leaves, mu is the setting's: 5,000 / (50 x 300) of an instance, and what comes in.
    assert.equal(sumOf(samples, "leads_drain_seconds", { stage: "one" }), neverSeconds);
    assert.equal(sumOf(samples, "leads_instance_leads_per_second", { stage: "one" }), 50);
    // What is parked asks for nobody.
    assert.equal(sumOf(samples, "leads_desired_instances", { stage: "two" }), 1);

    await worker.broker.call("one.pause", { by: "test", reason: "to see it" });
    await eventually("the pause is seen", async () => pausedAt(await read()) === 1);
    assert.equal(sumOf(samples, "leads_desired_instances", { stage: "one" }), 1, "a paused stage never scales out");
    await worker.broker.call("one.resume");

    work.open();
  });

  it("agrees with its other instances within five per cent when they are asked within a second", async () => {
    await using place = await somewhere();
    // A fifth of a second a batch of ten: a backlog that lasts, worked off evenly.
    const steady = { ...quick, batchLeads: 10, concurrency: 1 };
    await using worker = await startMesh({
      place,
      flow: [{ name: "one", ...steady }],
      services: [
        stage("one", {
          async handle(batch) {
            await delay(100);
            return batch.map(({ lead }) => forward(lead));
          },
        }),
      ],
    });
    const options = { place, flow: [{ name: "one", ...steady }], services: [service] };
    await put(worker, "one", "bulk", someLeads(20_000), { perEnvelope: 10 });
    await using one = await startMesh(options);
    await using other = await startMesh(options);
    // A backlog's growth is known from a few looks.
    await eventually("both know how fast it goes", async () => {
      const both = await Promise.all([one, other].map(ofCluster));
      return both.every((samples) => sumOf(samples, "leads_completion_leads_per_second", { stage: "one" }) > 50);
    });
    await delay(4_000);
    const [here, there] = (await Promise.all([one, other].map(ofCluster))) as [Sample[], Sample[]];
    const rate = sumOf(here, "leads_completion_leads_per_second", { stage: "one" });
    const slack: Record<string, number> = {
      // As old as the look that saw it, a second at the most.
      leads_oldest_age_seconds: 1.2,
      // The difference of two rates: what goes and what is left.
      leads_arrival_leads_per_second: 0.05 * rate,
      // In hand is what is in hand at the very moment.
      leads_backlog_leads: rate,
      leads_backlog_envelopes: rate,
    };
    const ofTable = new Set<string>(metrics.filter(({ by }) => by === "cluster").map(({ name }) => name));
    const compared = here.filter(({ name }) => ofTable.has(name));
    assert.ok(compared.length > 30, `${compared.length} figures`);
    for (const { name, labels, value } of compared) {
      const same = sumOf(there, name, labels);
      const near = Math.abs(same - value) <= Math.max(0.05 * Math.abs(value), slack[name] ?? 0);
      assert.ok(near, `${name}${JSON.stringify(labels)} is ${value} here and ${same} there`);
    }
  });

  it("keeps its counters through the restart of a node, and lists the processes that live", async () => {
    await using place = await somewhere();
    await using watcher = await startMesh({ place, flow, services: [service] });
    const total = async () => {
      const samples = await ofCluster(watcher);
      return sumOf(samples, "leads_cluster_outcomes_total", { stage: "one", outcome: "forward" });
    };
    const handle = { handle: (batch: any[]) => batch.map(({ lead }) => forward(lead)) };
    const start = () => startMesh({ place, flow, services: [stage("one", handle as never), stage("two")] });
    const before = await total();
    let worker = await start();
    await acceptLive(worker, someLeads(30));
    await quiet(worker, ["one"]);
    await eventually("the first thirty are told", async () => (await total()) === before + 30);
    await worker.stop();
    worker = await start();
    try {
      await acceptLive(worker, someLeads(45));
      await quiet(worker, ["one"]);
      await eventually("the others too", async () => (await total()) === before + 75);
      const living = [watcher, worker].map((mesh) => new URL(metricsUrl(mesh.broker)).host).sort();
      await eventually("those that live are listed", async () => isDeepStrictEqual(await listed(watcher), living));
    } finally {
      await worker.stop();
    }
    assert.equal(await total(), before + 75, "what was told stays");
  });

  it("lists a process that was killed, until another is in its place, and none that left", async function () {
    this.timeout(180_000);
    await using place = await somewhere();
    using record = recordFile();
    await using watcher = await startMesh({ place, flow, services: [service] });
    const start = (name: string, env = {}) => startMesh({ place, flow, services: [stage(name)], env });
    const startOwn = (name: string) => startWorker(place.settings, { flow, stage: name, record: record.path });
    const nodeOf = ({ process: { pid } }: Child) => watcher.broker.registry.nodes.get(`worker-${pid}`);
    // They were there before: they are in nobody's place.
    await using sibling = await start("one");
    await using left = await start("one");
    await using killed = await startOwn("one");
    await using crashed = await startOwn("two");
    await eventually("all are listed", async () => (await listed(watcher)).length === 5);
    const [ofKilled, ofCrashed] = [killed, crashed].map(
      (child) => `127.0.0.1:${nodeOf(child).metadata!["metrics"].port}`,
    ) as [string, string];
    await left.stop();
    for (const { process } of [killed, crashed]) process.kill("SIGKILL");
    // It is there before anybody misses a heartbeat.
    await using successor = await start("two");
    const missed = () => [killed, crashed].every((child) => !nodeOf(child).available);
    // Looked at every 15 s; the first heartbeat may not have come yet.
    await eventually("their heartbeats are missed", missed, { withinMs: 60_000 });
    const living = [watcher, sibling, successor].map(({ broker }) => new URL(metricsUrl(broker)).host);
    const { hostname } = nodeOf(crashed);
    nodeOf(crashed).hostname = "another";
    assert.deepEqual(
      await listed(watcher),
      [...living, ofKilled, ofCrashed].sort(),
      "nobody's place is taken elsewhere",
    );
    nodeOf(crashed).hostname = hostname;
    assert.deepEqual(await listed(watcher), [...living, ofKilled].sort());
    const port = ofKilled.split(":")[1]!;
    await using taker = await start("two", { LEADS_METRICS_PORT: port });
    await eventually("it is there", () => watcher.broker.registry.nodes.get(taker.broker.nodeID)?.available);
    assert.deepEqual(await listed(watcher), [...living, ofKilled].sort(), "its address is another's, and listed once");
  });

  it("says in time for a scrape that NATS does not answer, and lists the processes at once", async () => {
    await using server = await ownNats();
    await using place = await testPlace({ LEADS_NATS_URL: server.url });
    await using mesh = await startMesh({ place, flow, services: [service, stage("one"), stage("two")] });
    const isRead = async () => sumOf(await ofCluster(mesh), "leads_source_up", { source: "nats" }) === 1;
    await eventually("it is read", isRead);
    let slowestMs = 0;
    const timed = async <T>(ask: () => Promise<T>) => {
      const since = performance.now();
      const answer = await ask();
      slowestMs = Math.max(slowestMs, performance.now() - since);
      return answer;
    };
    server.freeze();
    try {
      // What was read just before is told for a second.
      await eventually("it is said", async () => !(await timed(isRead)));
      assert.ok(slowestMs < 3_000, `${slowestMs} ms`);
      slowestMs = 0;
      await Promise.all([isRead(), timed(() => listed(mesh))]);
      assert.ok(slowestMs < 1_000, `${slowestMs} ms`);
    } finally {
      server.thaw();
    }
    await eventually("it is read again", isRead);
  });

  it("counts what bulk leads wait for in the intake to each stage of the flow", async () => {
    await using place = await somewhere();
    await using idle = await startMesh({ place, flow, services: [service, stage("one"), stage("two")] });
    await acceptBulk(idle, someLeads(20_000));
    let samples: Sample[] = [];
    await eventually("it is seen", async () => {
      samples = await ofCluster(idle);
      return sumOf(samples, "leads_backlog_leads", { stage: "intake" }) === 20_000;
    });
    for (const name of ["one", "two"])
      assert.ok(sumOf(samples, "leads_desired_instances", { stage: name }) >= 2, `${name} should help with it`);
    assert.ok(sumOf(samples, "leads_drain_seconds", { stage: "two" }) > 0);
  });

  it("serves the table's metrics, their types and labels, and no others of its prefix", async () => {
    await using place = await somewhere();
    await using mesh = await startMesh({ place, flow, services: [service, stage("one"), stage("two")] });
    const { samples, types } = await scrape(`${urlOf(mesh)}/metrics`);
    const rows = new Map(metrics.map((metric) => [metric.name as string, metric]));
    for (const { name, labels } of samples.filter((sample) => sample.name.startsWith("leads_"))) {
      const summed = name.startsWith("leads_cluster_");
      const own = summed ? name.replace("leads_cluster_", "leads_") : name;
      const row = rows.get(own) ?? rows.get(own.replace(/_(bucket|sum|count)$/, ""));
      assert.ok(row && row.by === (summed ? "process" : "cluster"), `${name} is not in the table`);
      assert.equal(types.get(name), summed ? "counter" : "gauge");
      const extra = own.endsWith("_bucket") && row.type === "histogram" ? ["le"] : [];
      assert.deepEqual(Object.keys(labels).sort(), [...row.labels, ...extra].sort(), name);
    }
    for (const { name, by } of metrics)
      if (by === "cluster" && !/limit_bytes$|budget|mail|desired_instances_by/.test(name))
        assert.ok(
          samples.some((sample) => sample.name === name),
          `${name} is served`,
        );
    assert.doesNotMatch(JSON.stringify(samples), /nodeID/);
    const limits = samples.filter(({ name }) => name === "leads_jetstream_store_limit_bytes");
    assert.deepEqual(limits, [], "a store without a limit has none, not one of 0");
  });
});

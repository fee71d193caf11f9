import assert from "node:assert/strict";
import { mock } from "node:test";
import { complete, forward, retry } from "../../../mixins/actor/outcome.ts";
import { LeadsError } from "../../../mixins/errors.ts";
import { metrics } from "../../../mixins/metrics.ts";
import { operations } from "../../../services/gateway/operations.ts";
import { eventually } from "../../support/eventually.ts";
import { startGateway } from "../../support/gateway.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { metricsUrl, type Sample, scrape, sumOf } from "../../support/metrics.ts";
import { acceptBulk, acceptLive, quick, quiet, someLeads, stage } from "../../support/stages.ts";

const flow = [
  { name: "one", ...quick },
  { name: "two", ...quick },
];

describe("a process's metrics", () => {
  let mesh: TestMesh;
  let samples: Sample[];
  let types: Map<string, string>;
  const [live, bulk] = [60, 200];

  before(async () => {
    mesh = await startMesh({
      flow,
      services: [
        "services/admission/admission.service.ts",
        stage("one", {
          // Of the live ones ten fail once, and five for ever.
          handle: (batch) =>
            batch.map(({ lead, lane, attempt }) => {
              const n = Number(lead.sourceId);
              if (lane === "live" && n < 10 && attempt === 1) return retry(new Error("not yet"));
              if (lane === "live" && n >= 55) return retry(new LeadsError("MALFORMED", "never"));
              return forward(lead);
            }),
        }),
        stage("two", { handle: (batch) => batch.map(({ lead }) => complete(lead, "done")) }),
      ],
    });
    await acceptLive(mesh, someLeads(live));
    await acceptBulk(mesh, someLeads(bulk));
    await eventually("all have ended", async () => {
      ({ samples, types } = await scrape(metricsUrl(mesh.broker)));
      return sumOf(samples, "leads_end_to_end_seconds_count") === live + bulk - 5;
    });
    await quiet(mesh, ["one", "two"]);
    ({ samples, types } = await scrape(metricsUrl(mesh.broker)));
  });
  after(() => mesh[Symbol.asyncDispose]());

  it("count a breaker as open until it closes, and no longer when nothing more is heard of it", async () => {
    const { broker } = mesh;
    const tell = (state: string) =>
      broker.localBus.emit(`$circuit-breaker.${state}`, { nodeID: "n", action: "far.ask" });
    const open = async () =>
      sumOf((await scrape(metricsUrl(broker))).samples, "leads_breakers_open", { service: "far" });
    tell("opened");
    assert.equal(await open(), 1);
    tell("closed");
    assert.equal(await open(), 0);
    tell("opened");
    mock.timers.enable({ apis: ["Date"], now: Date.now() + 100_000 });
    try {
      tell("half-opened");
      mock.timers.setTime(Date.now() + 100_000);
      assert.equal(await open(), 1);
      mock.timers.setTime(Date.now() + 100_000);
      assert.equal(await open(), 0);
    } finally {
      mock.timers.reset();
    }
  });

  it("count every lead, each outcome and each lane", () => {
    const outcome = (stage: string, lane: string, outcome: string) =>
      sumOf(samples, "leads_outcomes_total", { stage, lane, outcome });
    assert.equal(outcome("one", "live", "forward"), live - 5);
    assert.equal(outcome("one", "live", "retry"), 10);
    assert.equal(outcome("one", "live", "dead"), 5);
    assert.equal(outcome("one", "bulk", "forward"), bulk);
    assert.equal(outcome("two", "live", "complete"), live - 5);
    assert.equal(outcome("two", "bulk", "complete"), bulk);
    // Those that came back from the park arrive again.
    assert.equal(sumOf(samples, "leads_arrivals_total", { stage: "one", lane: "live" }), live + 10);
    assert.equal(sumOf(samples, "leads_arrivals_total", { stage: "two" }), live + bulk - 5);
    assert.equal(sumOf(samples, "leads_redeliveries_total"), 0);
    assert.equal(sumOf(samples, "leads_batch_size_leads_sum", { stage: "two" }), live + bulk - 5);
  });

  it("say where the time went, and how the loop, the memory and the pool stand", () => {
    for (const name of ["leads_batch_duration_seconds_sum", "leads_wait_seconds_count", "leads_busy_seconds_total"])
      assert.ok(sumOf(samples, name, { stage: "two" }) > 0, name);
    for (const step of ["decode", "handle", "checkpoint", "publish"])
      assert.ok(sumOf(samples, "leads_step_seconds_total", { stage: "one", step }) >= 0);
    assert.ok(sumOf(samples, "leads_process_cpu_seconds_total") > 0.1);
    assert.ok(sumOf(samples, "leads_process_memory_bytes") > 30e6);
    assert.equal(samples.filter(({ name }) => name === "leads_event_loop_delay_seconds").length, 3);
  });

  it("are served on the loopback alone, though a free port was asked for", async () => {
    assert.equal(new URL(metricsUrl(mesh.broker)).hostname, "127.0.0.1");
    const { port } = new URL(metricsUrl(mesh.broker));
    // All of 127/8 is this machine: a server on every interface would answer here too.
    await assert.rejects(fetch(`http://127.0.0.2:${port}/metrics`));
  });

  it("are those of the table, with its types and labels and no others", () => {
    const rows = new Map(metrics.map((metric) => [metric.name as string, metric]));
    for (const { name, labels } of samples.filter((sample) => sample.name.startsWith("leads_"))) {
      const base = rows.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
      const row = rows.get(base);
      assert.ok(row && row.by === "process", `${name} is not in the table`);
      assert.equal(types.get(base), row.type);
      const extra = name.endsWith("_bucket") && row.type === "histogram" ? ["le"] : [];
      assert.deepEqual(Object.keys(labels).sort(), [...row.labels, ...extra].sort(), name);
    }
  });

  it("count the good and the failed answers of every operation from zero, so that the first is an increase", async () => {
    await using gateway = await startGateway();
    const young = (await scrape(metricsUrl(gateway.broker))).samples;
    for (const operation of [...operations.map(({ id }) => id), "none"])
      for (const code of ["2xx", "5xx"]) {
        const found = young.filter(
          ({ name, labels }) =>
            name === "leads_http_requests_total" && labels["operation"] === operation && labels["code"] === code,
        );
        assert.deepEqual(
          found.map(({ value }) => value),
          [0],
          `${operation} ${code}`,
        );
      }
  });

  it("are neither counted nor served where they are turned off", async () => {
    await using off = await startMesh({ flow, services: [stage("one"), stage("two")], env: { LEADS_METRICS: "off" } });
    await acceptLive(off, someLeads(3));
    await quiet(off, ["one", "two"]);
    assert.equal(off.broker.metadata["metrics"], undefined);
    assert.equal(off.broker.isMetricsEnabled(), false);
  });
});

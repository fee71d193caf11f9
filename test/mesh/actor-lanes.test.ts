import assert from "node:assert/strict";
import type { StageConfig } from "../../config/pipeline.ts";
import { forward } from "../../mixins/actor/outcome.ts";
import { jsApi } from "../../mixins/jetstream.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { Ends, gate, laneInfo, put, quantile, redeliveries, stateOf, streamInfo } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { quick, quiet, someLeads, stage } from "../support/stages.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const one: StageConfig = { name: "one", ...quick, ackWaitMs: 10_000 };
const pausedMesh = async (flow: StageConfig[], options: Parameters<typeof stage>[1]) => {
  const mesh = await startMesh({ flow, services: [stage("one", options)] });
  await mesh.broker.call("one.pause", { by: "test", reason: "to fill the mailbox first" });
  await eventually("paused", async () => (await stateOf(mesh, "one")).state === "paused");
  return mesh;
};

describe("the lanes of a running stage", () => {
  it("give bulk a tenth of the batches at least while live floods, and live the rest", async () => {
    const batches: string[] = [];
    await using mesh = await pausedMesh([{ ...one, batchLeads: 10, concurrency: 2 }], {
      async handle(batch) {
        batches.push(batch[0]!.lane);
        // Of different lengths: when all places come free together, even a rule that starves bulk gives it one.
        await sleep(2 + (batches.length % 5) * 3);
        return batch.map(({ lead }) => forward(lead));
      },
    });
    await Promise.all([
      put(mesh, "one", "live", someLeads(3_000)),
      put(mesh, "one", "bulk", someLeads(600), { perEnvelope: 10 }),
    ]);
    await mesh.broker.call("one.resume");
    await eventually("the flood has passed", () => batches.filter((lane) => lane === "live").length >= 250);
    const flood = batches.slice(0, batches.lastIndexOf("live") + 1);
    // Until bulk has arrived in the buffer, and after the flood is over, there is no share to speak of.
    const steady = flood.slice(20, 220);
    const share = steady.filter((lane) => lane === "bulk").length / steady.length;
    assert.ok(share >= 0.09 && share <= 0.3, `bulk got ${share} of ${steady.length} batches`);
    await quiet(mesh, ["one"]);
  });

  it("keep live fast while bulk floods", async () => {
    const waits: number[] = [];
    const sentAt = new Map<string, number>();
    await using mesh = await startMesh({
      flow: [{ ...one, batchLeads: 100, concurrency: 2 }],
      services: [
        stage("one", {
          async handle(batch) {
            for (const { lane, lead } of batch)
              if (lane === "live") waits.push(performance.now() - sentAt.get(lead.leadId)!);
            await sleep(batch[0]!.lane === "bulk" ? 40 : 1);
            return batch.map(({ lead }) => forward(lead));
          },
        }),
      ],
    });
    await put(mesh, "one", "bulk", someLeads(8_000));
    for (const lead of someLeads(60)) {
      sentAt.set(lead.leadId, performance.now());
      await put(mesh, "one", "live", [lead]);
      await sleep(5);
    }
    await eventually("all live leads", () => waits.length === 60);
    const left = (await laneInfo(mesh, "one", "bulk")).num_pending;
    assert.ok(left > 0, "bulk still had a backlog");
    assert.ok(quantile(waits, 0.95) < 250, `p95 ${quantile(waits, 0.95)} ms`);
  });

  it("make handler batches of many envelopes, up to the stage's size, and no more of them at once than allowed", async () => {
    const sizes: number[] = [];
    let inWork = 0;
    let most = 0;
    await using mesh = await pausedMesh([{ ...one, batchLeads: 250, concurrency: 2, lingerMs: 50 }], {
      async handle(batch) {
        sizes.push(batch.length);
        most = Math.max(most, ++inWork);
        await sleep(20);
        inWork--;
        return batch.map(({ lead }) => forward(lead));
      },
    });
    await put(mesh, "one", "bulk", someLeads(3_000), { perEnvelope: 10 });
    await mesh.broker.call("one.resume");
    await eventually("all", () => sizes.reduce((a, b) => a + b, 0) === 3_000);
    assert.equal(Math.max(...sizes), 250);
    assert.ok(sizes.length <= 20, `${sizes.length} batches`);
    assert.equal(most, 2);
  });

  it("make larger bulk batches while no live lead is about, also where another process has the live ones", async () => {
    let sizes: number[] = [];
    await using mesh = await startMesh({
      env: { LEADS_LANES: "bulk" },
      flow: [{ ...one, batchLeads: 10, quietBatchLeads: 30, quietAfterMs: 2_500, lingerMs: 50, concurrency: 1 }],
      services: [
        stage("one", {
          handle(batch) {
            sizes.push(batch.length);
            return batch.map(({ lead }) => forward(lead));
          },
        }),
      ],
    });
    const largest = async () => {
      sizes = [];
      await put(mesh, "one", "bulk", someLeads(120), { perEnvelope: 10 });
      await eventually("all", () => sizes.reduce((a, b) => a + b, 0) === 120);
      return Math.max(...sizes);
    };
    await eventually("nobody ever waited", async () => (await largest()) === 30);
    // Nobody reads the live lane here: it waits.
    await put(mesh, "one", "live", someLeads(1));
    await eventually("somebody waits", async () => (await largest()) === 10);
    assert.equal(await largest(), 10);
    const { stream, subject } = mesh.names.mailbox("one");
    await jsApi(mesh.nats, `STREAM.PURGE.${stream}`, { filter: subject("live") });
    const since = Date.now();
    await eventually("it is quiet again", async () => (await largest()) === 30);
    // From the last look that saw it.
    assert.ok(Date.now() - since >= 1_000, `after ${Date.now() - since} ms`);
  });

  it("hold in one instance no more than it can soon work on, so that others find something", async () => {
    const hold = gate();
    await using mesh = await pausedMesh([{ ...one, batchLeads: 100, concurrency: 1 }], {
      async handle(batch) {
        await hold.wait();
        return batch.map(({ lead }) => forward(lead));
      },
    });
    await put(mesh, "one", "bulk", someLeads(20_000));
    await mesh.broker.call("one.resume");
    await eventually("work in hand", async () => (await stateOf(mesh, "one")).inHand >= 100);
    await sleep(500);
    const { inHand } = await stateOf(mesh, "one");
    assert.ok(inHand <= 300, `${inHand} leads in hand`);
    hold.open();
    await quiet(mesh, ["one"]);
  });

  it("beat the heart of a batch that takes three times the ack wait: nothing is delivered again", async () => {
    const ends = new Ends();
    await using mesh = await startMesh({
      flow: [{ ...one, ackWaitMs: 500, batchLeads: 10 }],
      services: [
        stage("one", {
          async handle(batch) {
            await sleep(1_500);
            return batch.map(({ lead }) => forward(lead));
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    // More than the first batches take: what waits in the buffer must be kept alive too.
    await put(mesh, "one", "live", someLeads(35));
    await eventually("all ended", () => ends.size === 35);
    assert.equal(ends.repeats, 0);
    await eventually("all acknowledged", async () => (await laneInfo(mesh, "one", "live")).num_ack_pending === 0);
    assert.equal(await redeliveries(mesh, "one", "live", 35), 0);
    assert.equal((await stateOf(mesh, "one")).stats.redelivered, 0);
  });

  it("publish successors in a pipeline, with an id each, cut for the next stage", async () => {
    const hold = gate();
    const seen: Lead[] = [];
    await using mesh = await startMesh({
      flow: [
        { ...one, batchLeads: 250 },
        { name: "two", ...quick },
      ],
      services: [
        stage("one"),
        stage("two", {
          async handle(batch) {
            await hold.wait();
            seen.push(...batch.map(({ lead }) => lead));
            return batch.map(({ lead }) => forward(lead));
          },
        }),
      ],
    });
    const route = { requestId: "e".repeat(32) };
    await put(mesh, "one", "bulk", someLeads(1_000), { perEnvelope: 10, route });
    const box = () => streamInfo(mesh.nats, mesh.names.mailbox("two").stream);
    await eventually("all handed on", async () => (await laneInfo(mesh, "one", "bulk")).ack_floor.stream_seq === 100);
    const { state } = await box();
    // Envelopes of ten became envelopes of fifty where a batch held enough of the same request.
    assert.ok(state.last_seq >= 20 && state.last_seq <= 60, `${state.last_seq} envelopes`);
    hold.open();
    await quiet(mesh, ["two"]);
    assert.equal(new Set(seen.map(({ leadId }) => leadId)).size, 1_000);
    assert.equal(seen.length, 1_000);
  });
});

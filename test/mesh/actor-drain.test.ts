import assert from "node:assert/strict";
import type { StageConfig } from "../../config/pipeline.ts";
import { outage } from "../../mixins/errors.ts";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { Ends, laneInfo, put, redeliveries, stateOf } from "../support/actor.ts";
import { recordFile, startWorker } from "../support/child.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { testPlace } from "../support/servers.ts";
import { quick, someLeads, stage } from "../support/stages.ts";

const flow: StageConfig[] = [{ name: "one", ...quick, batchLeads: 10, concurrency: 1, ackWaitMs: 30_000 }];

describe("a drain", () => {
  it("after SIGTERM in mid-batch finishes what is in hand: nothing is delivered again", async () => {
    await using place = await testPlace({ LEADS_DRAIN_MS: "15000" });
    using record = recordFile();
    await using outside = await startMesh({ place, flow, services: [] });
    await ensureStreams(outside.nats, outside.names, outside.settings, flow);
    await put(outside, "one", "bulk", someLeads(300), { perEnvelope: 10 });
    const plan = { flow, stage: "one", record: record.path, takesMs: 300 };
    await using worker = await startWorker(place.settings, plan);
    await eventually("in mid-batch", () => worker.lines.some((line) => line.startsWith("batch")));
    const startedAt = performance.now();
    worker.process.kill("SIGTERM");
    assert.equal(await worker.exited, 0);
    assert.ok(performance.now() - startedAt < 15_000);
    const ended = record.ids();
    const { num_ack_pending, num_pending } = await laneInfo(outside, "one", "bulk");
    assert.equal(num_ack_pending, 0, "nothing was left in hand");
    assert.ok(ended.length > 0 && ended.length < 300);
    assert.equal(num_pending, (300 - ended.length) / 10, "what was not finished waits");
    await using _next = await startWorker(place.settings, { ...plan, takesMs: 1 });
    await eventually("another instance ends the rest", () => new Set(record.ids()).size === 300);
    assert.equal(record.ids().length, 300);
    assert.equal(await redeliveries(outside, "one", "bulk", 30), 0);
  });

  it("in an outage hands back at once what it holds, and burns no try", async () => {
    await using place = await testPlace();
    const waiting = await startMesh({
      place,
      flow,
      services: [
        stage("one", {
          handle() {
            throw outage("llm");
          },
        }),
      ],
    });
    await put(waiting, "one", "live", someLeads(25));
    await eventually("an outage", async () => (await stateOf(waiting, "one")).state === "outage");
    const startedAt = performance.now();
    await waiting.stop();
    const ms = performance.now() - startedAt;
    assert.ok(ms < 5_000, `it took ${ms} ms`);
    const ends = new Ends();
    const attempts = new Set<number>();
    await using _next = await startMesh({
      place,
      flow,
      services: [
        stage("one", {
          handle: (batch) =>
            batch.map(({ lead, attempt }) => {
              attempts.add(attempt);
              return { kind: "forward", lead };
            }),
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    await eventually("all ended", () => ends.size === 25, { withinMs: 5_000 });
    assert.deepEqual([...attempts], [1]);
  });

  it("hands back what a handler that never returns holds, and ends within the deadline", async () => {
    await using place = await testPlace({ LEADS_DRAIN_MS: "4000" });
    using record = recordFile();
    await using outside = await startMesh({ place, flow, services: [] });
    await ensureStreams(outside.nats, outside.names, outside.settings, flow);
    await put(outside, "one", "live", someLeads(25));
    await using worker = await startWorker(place.settings, { flow, stage: "one", record: record.path, hangs: true });
    await eventually("in mid-batch", () => worker.lines.some((line) => line.startsWith("batch")));
    const startedAt = performance.now();
    worker.process.kill("SIGTERM");
    assert.equal(await worker.exited, 0);
    const ms = performance.now() - startedAt;
    assert.ok(ms < 5_500, `it took ${ms} ms`);
    await using _next = await startWorker(place.settings, { flow, stage: "one", record: record.path });
    // At once, and not after the ack wait of 30 s.
    await eventually("another instance ends them", () => record.ids().length === 25, { withinMs: 5_000 });
    assert.equal(new Set(record.ids()).size, 25);
  });
});

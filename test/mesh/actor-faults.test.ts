import assert from "node:assert/strict";
import type { StageConfig } from "../../config/pipeline.ts";
import { forward, retry } from "../../mixins/actor/outcome.ts";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { deadLetters, Ends, laneInfo, put } from "../support/actor.ts";
import { type Child, recordFile, startWorker } from "../support/child.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { ownNats, testPlace } from "../support/servers.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow: StageConfig[] = [{ name: "one", ...quick, batchLeads: 10, concurrency: 1, ackWaitMs: 1_000 }];
const inMidBatch = (worker: Child) =>
  eventually("in mid-batch", () => worker.lines.some((line) => line.startsWith("batch")), { withinMs: 20_000 });

describe("faults", () => {
  it("of NATS: killed in mid-flow and started again on the same store, it loses no accepted lead", async () => {
    await using nats = await ownNats();
    await using place = await testPlace({ LEADS_NATS_URL: nats.url });
    const ends = new Ends();
    const way: StageConfig[] = ["one", "two", "three"].map((name) => ({
      name,
      ...quick,
      batchLeads: 20,
      retry: { retries: 3, baseMs: 1_500, maxMs: 1_500 },
    }));
    await using mesh = await startMesh({
      place,
      flow: way,
      services: [
        stage("one"),
        stage("two", {
          // Some are parked when the server dies.
          handle: (batch) =>
            batch.map(({ lead, attempt }) =>
              attempt === 1 && Number(lead.sourceId) % 3 === 0 ? retry(new Error("not yet")) : forward(lead),
            ),
        }),
        stage("three", { checkpoint: ends.checkpoint }),
      ],
    });
    const accepted: string[] = [];
    const leads = someLeads(1_500);
    const driver = (async () => {
      for (let n = 0; n < leads.length; n += 50) {
        const some = leads.slice(n, n + 50);
        // As a client does: what was not accepted is told again.
        for (;;) {
          try {
            await acceptLive(mesh, some);
            break;
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        }
        accepted.push(...some.map(({ leadId }) => leadId));
      }
    })();
    await eventually("in mid-flow", () => ends.size > 100);
    await nats.kill();
    await nats.start();
    await eventually("in mid-flow again", () => ends.size > 600, { withinMs: 30_000 });
    await nats.kill();
    await nats.start();
    await driver;
    await eventually("every accepted lead ended", () => ends.size === leads.length, { withinMs: 30_000 });
    await quiet(mesh, ["one", "two", "three"]);
    assert.ok(accepted.every((leadId) => ends.leads.has(leadId)));
    assert.equal((await deadLetters(mesh)).length, 0);
  });

  it("of a worker: killed in mid-batch, another instance ends what it had", async () => {
    await using place = await testPlace();
    using record = recordFile();
    await using outside = await startMesh({ place, flow, services: [] });
    await ensureStreams(outside.nats, outside.names, outside.settings, flow);
    await put(outside, "one", "bulk", someLeads(200), { perEnvelope: 10 });
    const plan = { flow, stage: "one", record: record.path, takesMs: 100 };
    await using first = await startWorker(place.settings, plan);
    await inMidBatch(first);
    await using second = await startWorker(place.settings, plan, { wait: false });
    first.process.kill("SIGKILL");
    assert.equal(await first.exited, "SIGKILL");
    await eventually("all ended", () => new Set(record.ids()).size === 200);
    await eventually("all acknowledged", async () => (await laneInfo(outside, "one", "bulk")).num_ack_pending === 0);
    assert.ok(
      second.lines.some((line) => /^batch \d+ [1-9]/.test(line)),
      "it was told that some came again",
    );
    // At most what was in hand was done twice.
    assert.ok(record.ids().length <= 230, `${record.ids().length} verdicts`);
  });

  it("of a worker: frozen past the ack wait, its leads are done elsewhere, and its waking up harms nothing", async () => {
    await using place = await testPlace();
    using record = recordFile();
    await using outside = await startMesh({ place, flow, services: [] });
    await ensureStreams(outside.nats, outside.names, outside.settings, flow);
    const leads = someLeads(30);
    await put(outside, "one", "live", leads);
    await using frozen = await startWorker(place.settings, { flow, stage: "one", record: record.path, takesMs: 400 });
    await inMidBatch(frozen);
    frozen.process.kill("SIGSTOP");
    await using _other = await startWorker(place.settings, { flow, stage: "one", record: record.path });
    await eventually("all ended elsewhere", () => new Set(record.ids()).size === 30);
    frozen.process.kill("SIGCONT");
    await eventually("all acknowledged", async () => {
      const { num_pending, num_ack_pending } = await laneInfo(outside, "one", "live");
      return num_pending + num_ack_pending === 0;
    });
    frozen.process.kill("SIGTERM");
    assert.equal(await frozen.exited, 0);
    assert.deepEqual(new Set(record.ids()), new Set(leads.map(({ leadId }) => leadId)));
  });

  it("of a lead: one that kills its process every time is a dead letter after eight deaths, and its by-standers live", async () => {
    await using place = await testPlace();
    using record = recordFile();
    const killer: StageConfig[] = [{ ...flow[0]!, ackWaitMs: 400 }];
    await using outside = await startMesh({ place, flow: killer, services: [] });
    await ensureStreams(outside.nats, outside.names, outside.settings, killer);
    const leads = someLeads(30);
    leads[7]!.fields.name = "poison";
    await put(outside, "one", "bulk", leads, { perEnvelope: 10 });
    const plan = { flow: killer, stage: "one", record: record.path, poison: "poison" };
    let deaths = 0;
    const letters = await (async () => {
      for (;;) {
        await using worker = await startWorker(place.settings, plan, { wait: false });
        const dead = eventually(
          "a dead letter or a death",
          async () => worker.process.exitCode !== null || (await deadLetters(outside)).length > 0,
        );
        await dead;
        if (worker.process.exitCode === null) {
          await eventually("the by-standers", () => new Set(record.ids()).size === 29);
          worker.process.kill("SIGTERM");
          await worker.exited;
          return await deadLetters(outside);
        }
        assert.equal(await worker.exited, 9);
        deaths++;
        assert.ok(deaths <= 8, "it kills for ever");
      }
    })();
    assert.deepEqual(
      letters.map(({ lead, error }) => [lead!.leadId, error.type]),
      [[leads[7]!.leadId, "CRASH_LOOP"]],
    );
    assert.equal(deaths, 8);
    assert.equal(record.ids().length, 29, "no by-stander was done twice");
  });

  it("are none with two instances at one mailbox: both work, and split the load", async () => {
    await using place = await testPlace();
    const ends = new Ends();
    const counts = [0, 0];
    const worker = (n: number) =>
      startMesh({
        place,
        flow,
        services: [
          stage("one", {
            async handle(batch) {
              counts[n]! += batch.length;
              await new Promise((resolve) => setTimeout(resolve, 5));
              return batch.map(({ lead }) => forward(lead));
            },
            checkpoint: ends.checkpoint,
          }),
        ],
      });
    await using first = await worker(0);
    await using _second = await worker(1);
    await put(first, "one", "live", someLeads(1_000));
    await eventually("all ended", () => ends.size === 1_000);
    await quiet(first, ["one"]);
    assert.equal(ends.repeats, 0);
    assert.ok(Math.min(...counts) > 250, `${counts.join(" and ")}`);
  });
});

import assert from "node:assert/strict";
import { jsApi } from "../../mixins/jetstream.ts";
import { Ends, laneInfo, put, stateOf } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { startProxy } from "../support/proxy.ts";
import { servers, testPlace } from "../support/servers.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow = [{ name: "one", ...quick }];
const env = { LEADS_WATCHDOG_MS: "1000" };

describe("the watchdog", () => {
  for (const lane of ["live", "bulk"] as const) {
    it(`mends a ${lane} consumer that was deleted under a running worker`, async () => {
      const ends = new Ends();
      await using mesh = await startMesh({ env, flow, services: [stage("one", { checkpoint: ends.checkpoint })] });
      await put(mesh, "one", lane, someLeads(50));
      await eventually("it works", () => ends.size === 50);
      await jsApi(mesh.nats, `CONSUMER.DELETE.${mesh.names.mailbox("one").stream}.${lane}`);
      await put(mesh, "one", lane, someLeads(50));
      await eventually("it works again", () => ends.size === 100, { withinMs: 30_000 });
      await quiet(mesh, ["one"]);
    });
  }

  it("mends the consumer of the parked leads, too", async () => {
    const ends = new Ends();
    await using mesh = await startMesh({
      env,
      flow,
      services: [
        stage("one", {
          handle(batch) {
            if (batch[0]!.attempt === 1) throw new Error("once");
            return batch.map(({ lead }) => ({ kind: "forward", lead }));
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const { nats, names } = mesh;
    await jsApi(nats, `CONSUMER.DELETE.${names.park.stream}.${names.park.consumer("one", "live")}`);
    await acceptLive(mesh, someLeads(5));
    await eventually("they came back", () => ends.size === 5, { withinMs: 30_000 });
  });

  it("flows again after the connection was cut without a close, and loses nothing", async () => {
    const { natsUrl } = await servers();
    await using proxy = await startProxy(natsUrl);
    await using place = await testPlace({ ...env });
    const ends = new Ends();
    await using _worker = await startMesh({
      place,
      env: { LEADS_NATS_URL: proxy.url },
      flow,
      services: [stage("one", { checkpoint: ends.checkpoint })],
    });
    await using outside = await startMesh({ place, flow, services: [] });
    const leads = someLeads(600);
    await put(outside, "one", "live", leads.slice(0, 200));
    await eventually("it works", () => ends.size >= 100);
    proxy.cut();
    await put(outside, "one", "live", leads.slice(200));
    await eventually("it works again", () => ends.size === leads.length, { withinMs: 30_000 });
    await eventually(
      "all acknowledged",
      async () => {
        const { num_pending, num_ack_pending } = await laneInfo(outside, "one", "live");
        return num_pending + num_ack_pending === 0;
      },
      { withinMs: 20_000 },
    );
    assert.equal(ends.size, leads.length);
  });

  it("leaves a stage alone that is only slow", async () => {
    const mended: string[] = [];
    await using mesh = await startMesh({
      env: { LEADS_WATCHDOG_MS: "200" },
      flow: [{ ...flow[0]!, batchLeads: 10, concurrency: 1 }],
      services: [
        stage("one", {
          async handle(batch) {
            await new Promise((resolve) => setTimeout(resolve, 700));
            return batch.map(({ lead }) => ({ kind: "forward", lead }));
          },
        }),
      ],
    });
    const service = mesh.broker.getLocalService("one");
    service.logger.warn = (message: string) => mended.push(message);
    await put(mesh, "one", "live", someLeads(30));
    await eventually("all passed", async () => (await stateOf(mesh, "one")).stats.complete === 30);
    assert.deepEqual(mended, []);
  });
});

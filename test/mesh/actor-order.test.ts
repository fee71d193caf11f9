import assert from "node:assert/strict";
import { forward } from "../../mixins/actor/outcome.ts";
import { Ends, gate, laneInfo, put, streamInfo } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow = [
  { name: "one", ...quick, batchLeads: 10 },
  { name: "two", ...quick, batchLeads: 10 },
];
const messages = async ({ nats, names }: TestMesh, name: string): Promise<number> =>
  (await streamInfo(nats, names.mailbox(name).stream)).state.messages;

describe("the order of a batch's steps", () => {
  it("has the checkpoint before the successor, and the acknowledgement last", async () => {
    const hold = gate();
    const ends = new Ends();
    let asked = 0;
    await using mesh = await startMesh({
      flow,
      services: [
        stage("one", {
          async checkpoint() {
            asked++;
            await hold.wait();
          },
        }),
        stage("two", { checkpoint: ends.checkpoint }),
      ],
    });
    await put(mesh, "one", "live", someLeads(5));
    await eventually("the checkpoint is asked", () => asked > 0);
    await eventually("all in hand", async () => (await laneInfo(mesh, "one", "live")).num_ack_pending === 5);
    assert.equal((await streamInfo(mesh.nats, mesh.names.mailbox("two").stream)).state.last_seq, 0);
    assert.equal(ends.size, 0);
    hold.open();
    await eventually("all ended", () => ends.size === 5);
    await quiet(mesh, ["one", "two"]);
  });

  it("lets nothing go whose successor has not been stored", async () => {
    const hold = gate();
    const ends = new Ends();
    await using mesh = await startMesh({
      env: { LEADS_MAILBOX_ENVELOPES: "20" },
      flow,
      services: [
        stage("one"),
        stage("two", {
          async handle(batch) {
            await hold.wait();
            return batch.map(({ lead }) => forward(lead));
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const leads = someLeads(40);
    await put(mesh, "one", "live", leads.slice(0, 20));
    await eventually("the second mailbox is full", async () => (await messages(mesh, "two")) === 20);
    await eventually("the first is empty", async () => (await messages(mesh, "one")) === 0);
    // Whoever listens to the subject hears each try, the refused ones too.
    let tries = 0;
    mesh.nats.subscribe(mesh.names.mailbox("two").subject("live"), { callback: () => tries++ });
    await put(mesh, "one", "live", leads.slice(20));
    await eventually("all in hand", async () => (await laneInfo(mesh, "one", "live")).num_ack_pending === 20);
    await eventually("publishes were refused, again and again", () => tries >= 60);
    assert.deepEqual([await messages(mesh, "one"), await messages(mesh, "two")], [20, 20]);
    hold.open();
    await eventually("all ended", () => ends.size === 40);
    await quiet(mesh, ["one", "two"]);
    assert.equal(ends.repeats, 0);
  });
});

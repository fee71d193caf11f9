import assert from "node:assert/strict";
import { parkEnvelopes } from "../../mixins/actor/mover.ts";
import { wait } from "../../mixins/actor/outcome.ts";
import { ensureShared, ensureStage, stageOptions } from "../../mixins/jetstream.ts";
import { type LaneState, type MeshState, meshReader } from "../../mixins/mesh-state.ts";
import { gate, put } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { acceptBulk, origin, quick, someLeads, stage } from "../support/stages.ts";

const flow = [
  { name: "one", ...quick },
  { name: "two", ...quick },
];

describe("the state of the mesh", function () {
  this.timeout(30_000);

  const lane = ({ lanes }: MeshState, of: string, which: string): LaneState =>
    lanes.find((l) => l.stage === of && l.lane === which)!;
  const look = (mesh: TestMesh) => meshReader(mesh.resources).read();
  /** Looks until it is so: what is told may be a second old. */
  const until = (mesh: TestMesh, what: string, holds: (state: MeshState) => boolean) =>
    eventually(what, async () => {
      const state = await look(mesh);
      if (!holds(state)) throw new Error(JSON.stringify(state.lanes.filter((l) => l.parked || l.ready)));
      return state;
    });

  it("counts leads, not envelopes: ready, in hand and parked apart, in each lane", async () => {
    const hold = gate();
    await using mesh = await startMesh({
      flow,
      services: [
        stage("one", {
          async handle(batch) {
            if (batch[0]!.lane === "bulk") await hold.wait();
            return batch.map(() => wait(Date.now() + 60_000, "not now"));
          },
        }),
      ],
    });
    await ensureStage(mesh.nats, mesh.names, stageOptions("two", flow), mesh.settings);
    await put(mesh, "two", "bulk", someLeads(105));
    await put(mesh, "two", "live", someLeads(3));
    await put(mesh, "one", "live", someLeads(4));
    await put(mesh, "one", "bulk", someLeads(20), { perEnvelope: 10 });
    await acceptBulk(mesh, someLeads(120));
    const state = await until(
      mesh,
      "all is where it stays",
      (s) => lane(s, "one", "live").parked === 4 && lane(s, "one", "bulk").unacknowledged === 20,
    );
    const told = (of: string, which: string) => {
      const { ready, unacknowledged, parked, about } = lane(state, of, which);
      return [ready, unacknowledged, parked, about];
    };
    assert.deepEqual(told("two", "live"), [3, 0, 0, false]);
    assert.deepEqual(told("two", "bulk"), [105, 0, 0, true]);
    assert.deepEqual(told("one", "live"), [0, 0, 4, false]);
    assert.deepEqual(told("one", "bulk"), [0, 20, 0, true]);
    assert.equal(lane(state, "one", "live").oldestMs, null);
    const { oldestMs, envelopes, delivered } = lane(state, "two", "bulk");
    assert.ok(oldestMs! > 0 && oldestMs! < 20_000, String(oldestMs));
    assert.deepEqual(envelopes, { ready: 3, unacknowledged: 0, parked: 0, limit: 20_000 });
    assert.equal(delivered, 0);
    assert.deepEqual([state.intake.envelopes, state.intake.leads, state.intake.tenants], [3, 120, { acme: 3 }]);
    assert.ok(state.streams[mesh.names.intake.stream]!.bytes > 10_000);
    assert.ok(state.store.bytes > state.streams[mesh.names.intake.stream]!.bytes);
    hold.open();
    await until(
      mesh,
      "they are parked",
      (s) => lane(s, "one", "bulk").parked === 20 && lane(s, "one", "bulk").unacknowledged === 0,
    );
  });

  const later = Date.now() + 3_600_000;
  /** Leads of the bulk lane that wait before `two`, in one envelope. */
  async function park({ nats, names }: TestMesh, count: number, until = later): Promise<void> {
    const items = someLeads(count).map((lead) => ({ item: { lead }, until, seq: 1 }));
    for (const { subject, envelope } of parkEnvelopes(names, "two", { ...origin(), lane: "bulk" }, items))
      await nats.jetstream().publish(subject, envelope.data, { headers: envelope.headers });
  }
  /** A mesh whose stages nobody has started. */
  async function idle(): Promise<TestMesh> {
    const mesh = await startMesh({ flow, services: [] });
    await ensureShared(mesh.nats, mesh.names, mesh.settings);
    await ensureStage(mesh.nats, mesh.names, stageOptions("two", flow), mesh.settings);
    return mesh;
  }

  it("counts leads that are back from the park by their own envelopes, whatever the mailbox holds", async () => {
    await using mesh = await idle();
    await park(mesh, 30);
    await park(mesh, 4);
    await park(mesh, 7, Date.now());
    const told = lane(
      await until(mesh, "seven are due", (s) => lane(s, "two", "bulk").envelopes.ready === 1),
      "two",
      "bulk",
    );
    assert.deepEqual([told.ready, told.parked, told.about, told.envelopes.parked], [7, 34, true, 2]);
  });

  it("estimates the parked by envelopes from all over the park, not by its oldest alone", async () => {
    await using mesh = await idle();
    await park(mesh, 50);
    for (let n = 0; n < 30; n++) await park(mesh, 1);
    const state = await until(mesh, "all are seen", (s) => lane(s, "two", "bulk").envelopes.parked === 31);
    const { parked } = lane(state, "two", "bulk");
    // By the oldest there would be 31 x 50.
    assert.ok(parked - 80 < 1_550 - parked, `${parked} are told, 80 are parked`);
  });

  it("is read once for all who ask within a second, and names the paused", async () => {
    await using mesh = await startMesh({ flow, services: [stage("one")] });
    await mesh.broker.call("one.pause", { by: "a test", reason: "to see it" });
    const [first, second] = await Promise.all([look(mesh), look(mesh)]);
    assert.equal(first, second);
    assert.equal(lane(first, "one", "live").paused?.reason, "to see it");
    assert.equal(lane(first, "two", "live").paused, null);
  });

  it("is zero for a stage that nobody has started", async () => {
    await using mesh = await startMesh({ flow, services: [] });
    await ensureShared(mesh.nats, mesh.names, mesh.settings);
    const { ready, unacknowledged, parked, oldestMs } = lane(await look(mesh), "two", "bulk");
    assert.deepEqual([ready, unacknowledged, parked, oldestMs], [0, 0, 0, null]);
  });
});

import assert from "node:assert/strict";
import { acceptor } from "../../mixins/accept.ts";
import { forward, retry } from "../../mixins/actor/outcome.ts";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { deadLetters, Ends, gate, laneInfo, put, redeliveries, stateOf, streamInfo } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { ownNats, testPlace } from "../support/servers.ts";
import { acceptLive, origin, quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow = [
  { name: "one", ...quick, batchLeads: 10 },
  { name: "two", ...quick, batchLeads: 10 },
];
const messages = async ({ nats, names }: TestMesh, name: string): Promise<number> =>
  (await streamInfo(nats, names.mailbox(name).stream)).state.messages;

describe("back-pressure", () => {
  it("reaches from a slow last stage to the edge, drops nothing and never overfills", async () => {
    const ends = new Ends();
    const hold = gate();
    await using mesh = await startMesh({
      env: { LEADS_MAILBOX_ENVELOPES: "40" },
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
    const edge = acceptor(mesh.resources);
    const accepted: string[] = [];
    let refused: { type?: string; code?: number } | undefined;
    let most = 0;
    for (const lead of someLeads(1_000)) {
      try {
        await edge.one(lead, origin());
        accepted.push(lead.leadId);
      } catch (error) {
        refused = error as typeof refused;
        if ((await stateOf(mesh, "two")).inHand > 0 && (await messages(mesh, "two")) >= 40) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      most = Math.max(most, await messages(mesh, "one"), await messages(mesh, "two"));
    }
    edge.close();
    assert.deepEqual([refused?.type, refused?.code], ["MAILBOX_FULL", 503]);
    assert.ok(most <= 40, `${most} envelopes in a mailbox of 40`);
    assert.ok(accepted.length < 200, `${accepted.length} accepted`);
    assert.ok((await stateOf(mesh, "one")).inHand <= 40);
    hold.open();
    await eventually("every accepted lead ended", () => ends.size === accepted.length);
    await quiet(mesh, ["one", "two"]);
    assert.ok(accepted.every((leadId) => ends.leads.has(leadId)));
    assert.equal(ends.repeats, 0);
  });

  it("keeps the leads that are parked behind a full mailbox", async () => {
    const ends = new Ends();
    const hold = gate();
    await using mesh = await startMesh({
      env: { LEADS_MAILBOX_ENVELOPES: "30" },
      // Few come back before all are parked.
      flow: [
        { name: "one", ...quick, batchLeads: 10, concurrency: 1, retry: { retries: 2, baseMs: 3_000, maxMs: 3_000 } },
      ],
      services: [
        stage("one", {
          async handle(batch) {
            if (batch.some(({ lead, attempt }) => lead.source === "fresh" || attempt > 1)) await hold.wait();
            return batch.map(({ lead, attempt }) =>
              lead.source === "late" && attempt === 1 ? retry(new Error("not yet")) : forward(lead),
            );
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const late = someLeads(120).map((lead) => ({ ...lead, source: "late" }));
    for (let n = 0; n < late.length; n += 20) {
      await put(mesh, "one", "live", late.slice(n, n + 20));
      await eventually("parked", async () => (await stateOf(mesh, "one")).stats.retry >= Math.min(n + 10, 100));
    }
    const fresh = someLeads(30).map((lead) => ({ ...lead, source: "fresh" }));
    const edge = acceptor(mesh.resources);
    let accepted = 0;
    for (const lead of fresh)
      await edge.one(lead, origin()).then(
        () => accepted++,
        () => {},
      );
    edge.close();
    await eventually("the mailbox is full and the parked wait behind it", async () => {
      const park = (await streamInfo(mesh.nats, mesh.names.park.stream)).state.messages;
      return (await messages(mesh, "one")) === 30 && park > 20;
    });
    hold.open();
    await eventually("all", () => ends.size === late.length + accepted);
    await quiet(mesh, ["one"]);
    assert.equal((await deadLetters(mesh)).length, 0);
    assert.ok(late.every(({ leadId }) => ends.leads.has(leadId)));
  });

  it("brings a parked live lead back past parked bulk leads whose lane is full", async () => {
    const ends = new Ends();
    const hold = gate();
    let isHeld = false;
    await using mesh = await startMesh({
      env: { LEADS_MAILBOX_ENVELOPES: "20" },
      flow: [
        { name: "one", ...quick, batchLeads: 2, concurrency: 1, retry: { retries: 2, baseMs: 1_000, maxMs: 1_000 } },
      ],
      services: [
        stage("one", {
          async handle(batch) {
            if (batch[0]!.lane === "bulk" && batch.some(({ attempt }) => attempt > 1)) {
              isHeld = true;
              await hold.wait();
            }
            return batch.map(({ lead, attempt }) => (attempt === 1 ? retry(new Error("not yet")) : forward(lead)));
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const bulk = someLeads(200);
    let sent = 0;
    while (!isHeld || (await messages(mesh, "one")) < 20) {
      const [lead] = bulk.slice(sent, sent + 1);
      if (lead === undefined) break;
      await put(mesh, "one", "bulk", [lead]).then(
        () => sent++,
        () => {},
      );
    }
    const parked = async () => (await streamInfo(mesh.nats, mesh.names.park.stream)).state.messages;
    await eventually("bulk leads are parked behind their full lane", async () => {
      return isHeld && (await messages(mesh, "one")) >= 20 && (await parked()) > 0;
    });
    const [live] = someLeads(1);
    await acceptLive(mesh, [live!]);
    await eventually("the live lead is through", () => ends.leads.has(live!.leadId));
    assert.equal(ends.size, 1);
    hold.open();
    await eventually("all", () => ends.size === sent + 1);
    await quiet(mesh, ["one"]);
    assert.equal((await deadLetters(mesh)).length, 0);
  });

  for (const isSuspect of [false, true])
    it(`does not block a live lead behind bulk leads that wait for room${isSuspect ? ", nor behind suspects" : ""}`, async () => {
      const passed = new Ends();
      const hold = gate();
      await using mesh = await startMesh({
        env: { LEADS_MAILBOX_ENVELOPES: "20" },
        flow,
        services: [
          stage("one"),
          stage("two", {
            async handle(batch) {
              if (batch[0]!.lane === "bulk") await hold.wait();
              return batch.map(({ lead }) => forward(lead));
            },
            checkpoint: passed.checkpoint,
          }),
        ],
      });
      // A request each, so that no two share an envelope. What finds the mailbox full is of no interest.
      for (const lead of someLeads(80)) await put(mesh, "one", "bulk", [lead]).catch(() => {});
      await eventually("bulk is stuck", async () => {
        const [one, two] = await Promise.all([laneInfo(mesh, "one", "bulk"), laneInfo(mesh, "two", "bulk")]);
        return two.num_pending + two.num_ack_pending === 20 && one.num_ack_pending > 0;
      });
      const live = someLeads(20);
      await put(mesh, "one", "live", live.slice(0, 5), { isSuspect });
      await acceptLive(mesh, live.slice(5));
      await eventually("live passes", () => live.every(({ leadId }) => passed.leads.has(leadId)), { withinMs: 3_000 });
      hold.open();
      await quiet(mesh, ["one", "two"]);
    });
});

describe("pausing a stage", () => {
  it("stops all its instances, and no other stage, until it is resumed", async () => {
    await using place = await testPlace();
    const ends = new Ends();
    const services = [stage("one"), stage("two", { checkpoint: ends.checkpoint })];
    await using first = await startMesh({ place, flow, services });
    await using second = await startMesh({ place, flow, services });
    await first.broker.call("two.pause", { by: "an operator", reason: "a test" });
    for (const mesh of [first, second])
      await eventually("paused", async () => {
        const { state, pause } = await mesh.broker.call<any, {}>("two.state", {}, { nodeID: mesh.broker.nodeID });
        return state === "paused" && pause.by === "an operator" && pause.reason === "a test";
      });
    const leads = someLeads(30);
    await acceptLive(first, leads);
    await eventually("the first stage goes on", async () => (await laneInfo(first, "two", "live")).num_pending === 30);
    assert.equal(ends.size, 0);
    await second.broker.call("two.resume");
    await eventually("all ended", () => ends.size === 30);
    await quiet(first, ["one", "two"]);
  });

  it("takes nothing from when it is answered, and loses, repeats and counts nothing that came just before", async () => {
    await using place = await testPlace();
    const ends = new Ends();
    const services = [stage("one", { checkpoint: ends.checkpoint })];
    const single = [flow[0]!];
    await using mesh = await startMesh({ place, flow: single, services });
    await using other = await startMesh({ place, flow: single, services });
    const taken = async () => (await laneInfo(mesh, "one", "live")).delivered.consumer_seq;
    let sent = 0;
    const send = async (count: number) => {
      sent += count;
      await put(mesh, "one", "live", someLeads(count));
    };
    for (let round = 1; round <= 10; round++) {
      await eventually("they ask", async () => (await laneInfo(mesh, "one", "live")).num_waiting > 0);
      // What comes while it is being paused may be taken or stay; what comes after it stays.
      await Promise.all([send(40), mesh.broker.call("one.pause", { by: "test", reason: `round ${round}` })]);
      const before = await taken();
      await send(10);
      assert.equal(await taken(), before, `round ${round}`);
      assert.ok((await laneInfo(mesh, "one", "live")).num_pending >= 10);
      await other.broker.call("one.resume");
      await eventually("all have ended", () => ends.size === sent);
    }
    const stats = await Promise.all([mesh, other].map(async (each) => (await stateOf(each, "one")).stats));
    assert.deepEqual(
      [ends.repeats, ...stats.map(({ redelivered }) => redelivered), await redeliveries(mesh, "one", "live", sent)],
      [0, 0, 0, 0],
    );
    await quiet(mesh, ["one"]);
  });

  it("survives a restart of the worker and of NATS", async () => {
    await using nats = await ownNats();
    await using place = await testPlace({ LEADS_NATS_URL: nats.url });
    const ends = new Ends();
    const services = [stage("one", { checkpoint: ends.checkpoint })];
    const single = [flow[0]!];
    const first = await startMesh({ place, flow: single, services });
    await first.broker.call("one.pause", { by: "an operator", reason: "a test" });
    await first.stop();
    await nats.kill();
    await nats.start();
    await using second = await startMesh({ place, flow: single, services });
    await ensureStreams(second.nats, second.names, second.settings, single);
    await acceptLive(second, someLeads(10));
    assert.equal((await stateOf(second, "one")).state, "paused");
    await nats.kill();
    await nats.start();
    await eventually("connected again", async () => (await laneInfo(second, "one", "live")).num_pending === 10);
    assert.equal((await stateOf(second, "one")).state, "paused");
    await second.broker.call("one.resume");
    await eventually("all ended", () => ends.size === 10, { withinMs: 20_000 });
  });
});

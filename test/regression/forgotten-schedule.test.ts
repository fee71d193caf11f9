import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { NatsError } from "nats";
import { natsServer } from "../../bin/stack/nats.ts";
import { forward, wait } from "../../mixins/actor/outcome.ts";
import { wakeOverdue } from "../../mixins/actor/overdue.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { getMessage } from "../../mixins/scan.ts";
import { limitedNats } from "../fault/nats.ts";
import { Ends } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { natsBinary, own } from "../support/servers.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow = [{ name: "one", ...quick }];

/** A stage whose leads wait once, until a moment that is told later. */
class Waiting {
  readonly ends = new Ends();
  readonly waited = new Set<string>();
  dueAt = 0;
  readonly service = stage("one", {
    handle: (batch) =>
      batch.map(({ lead }) => {
        if (this.waited.has(lead.leadId)) return forward(lead);
        this.waited.add(lead.leadId);
        return wait(this.dueAt, "not yet");
      }),
    checkpoint: this.ends.checkpoint,
  });
}

/** Other people's messages, which fill the store. */
async function ballastOf({ nats }: TestMesh) {
  const jsm = await nats.jetstreamManager({ checkAPI: false, timeout: 30_000 });
  await jsm.streams.add({ name: "ballast", subjects: ["ballast"] });
  const publish = () =>
    nats
      .jetstream()
      .publish("ballast", new Uint8Array(1_000_000), { timeout: 30_000 })
      .then(() => true)
      .catch((error: NatsError) => {
        if (!error.isJetStreamError()) throw error;
        return false;
      });
  return {
    async fill() {
      while ((await Promise.all(Array.from({ length: 8 }, publish))).every(Boolean));
    },
    async makeRoom() {
      const { state } = await jsm.streams.info("ballast");
      await jsm.streams.purge("ballast", { keep: state.messages - 8 });
    },
    clear: () => jsm.streams.delete("ballast"),
  };
}

/**
 * The server tries once to put what is due under its due subject, and never again when the store was full at that moment:
 * a lead that was parked stayed so until the server started again.
 */
describe("a parked lead", () => {
  it("goes on, once, when its moment came while NATS's store was full", async () => {
    const dir = mkdtempSync(join(tmpdir(), "leadfactory-nats-"));
    await using server = await own(limitedNats(natsServer(await natsBinary()), dir));
    rmSync(dir, { recursive: true, force: true });
    const waiting = new Waiting();
    const leads = someLeads(20);
    await using mesh = await startMesh({
      env: {
        LEADS_NATS_URL: server.url,
        LEADS_WATCHDOG_MS: "200",
        LEADS_INTAKE_BYTES: "33554432",
        LEADS_DEAD_BYTES: "8388608",
        LEADS_SCREENSHOT_BYTES: "1048576",
      },
      flow,
      services: [waiting.service],
    });
    const { nats, names } = mesh;
    const ballast = await ballastOf(mesh);
    await ballast.fill();
    // How long this machine takes to fill it up again: the leads are due after that.
    const from = Date.now();
    await ballast.makeRoom();
    await ballast.fill();
    await ballast.makeRoom();
    waiting.dueAt = Date.now() + 3_000 + 4 * (Date.now() - from);
    await acceptLive(mesh, leads);
    await allWait(mesh, leads.length);
    await ballast.fill();
    assert.ok(Date.now() < waiting.dueAt, "the machine was too slow to fill the store before they were due");
    await delay(waiting.dueAt - Date.now() + 1_000);
    const subject = names.park.waiting("one", "live");
    assert.ok(await getMessage(nats, names.park.stream, { seq: 1, subject }), "they were due, and there was room");
    await ballast.clear();
    await eventually("they went on", () => waiting.ends.size === leads.length, { withinMs: 20_000 });
    await quiet(mesh, ["one"]);
    assert.equal(waiting.ends.repeats, 0);
  });

  it("comes back once, in its time, however many take it for overdue", async () => {
    const waiting = new Waiting();
    const leads = someLeads(100);
    await using mesh = await startMesh({ flow, services: [waiting.service] });
    const { nats, names } = mesh;
    waiting.dueAt = Date.now() + 8_000;
    await acceptLive(mesh, leads);
    await allWait(mesh, leads.length);
    const publisher = new Publisher(nats);
    const { signal } = new AbortController();
    const look = () =>
      wakeOverdue({ nc: nats, names, stage: "one", lane: "live", publisher, signal }, Number.POSITIVE_INFINITY);
    const woken = await Promise.all([look(), look(), look()]);
    publisher.close();
    assert.equal(
      woken.reduce((a, b) => a + b, 0),
      leads.length,
      "each was put again, once",
    );
    assert.ok(waiting.ends.size === 0 || Date.now() >= waiting.dueAt, "one came early");
    await eventually("they went on", () => waiting.ends.size === leads.length, { withinMs: 20_000 });
    await quiet(mesh, ["one"]);
    assert.equal(waiting.ends.repeats, 0);
  });
});

const allWait = ({ nats, names }: TestMesh, count: number) =>
  eventually("all wait", async () => {
    const jsm = await nats.jetstreamManager({ checkAPI: false });
    return (await jsm.streams.info(names.park.stream)).state.messages === count;
  });

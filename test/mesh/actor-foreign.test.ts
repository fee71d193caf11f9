import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type MsgHdrs, headers as natsHeaders } from "nats";
import { headers } from "../../config/names.ts";
import { deadLetters, Ends, put, stateOf } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const good = (): MsgHdrs => {
  const h = natsHeaders();
  h.set(headers.version, "1");
  h.set(headers.tenant, "acme");
  h.set(headers.lane, "live");
  return h;
};
const without = (name: string) => {
  const h = good();
  h.delete(name);
  return h;
};
const changed = (name: string, value: string) => {
  const h = good();
  h.set(name, value);
  return h;
};
const lead = () => someLeads(1)[0]!;
const body = (...items: unknown[]) => new TextEncoder().encode(JSON.stringify({ v: 1, items }));

describe("a message that is no envelope of ours", () => {
  const ends = new Ends();
  const messages: [string, Uint8Array, MsgHdrs | undefined, RegExp][] = [
    ["is no JSON", new TextEncoder().encode("hello"), good(), /not JSON/],
    ["is cut off", body({ lead: lead() }).subarray(0, 40), good(), /not JSON/],
    ["is empty", new Uint8Array(), good(), /not JSON/],
    ["is rubbish", randomBytes(5_000), good(), /not JSON/],
    ["is of another version", body({ lead: lead() }), changed(headers.version, "2"), /Leads-Version is "2"/],
    ["has no headers at all", body({ lead: lead() }), undefined, /Leads-Version is missing/],
    ["names no tenant", body({ lead: lead() }), without(headers.tenant), /is no tenant/],
    ["names another tenant than its lead", body({ lead: lead() }), changed(headers.tenant, "other"), /tenant "acme"/],
    ["names no lane", body({ lead: lead() }), without(headers.lane), /is no lane/],
    ["holds no lead", body({ lead: { name: "x" } }), good(), /has no id/],
    ["holds null", body(null), good(), /has no id/],
    ["holds too many leads", body(...someLeads(51).map((one) => ({ lead: one }))), good(), /51 items/],
    ["is too large", body({ lead: { ...lead(), facts: { x: "x".repeat(900_000) } } }), good(), /bytes/],
    ["lies of its count", body({ lead: lead() }), changed(headers.count, "-7"), /^$/],
  ];

  it("is a dead letter with its reason, and neither crashes nor blocks the stage", async () => {
    await using mesh = await startMesh({
      flow: [{ name: "one", ...quick }],
      services: [stage("one", { checkpoint: ends.checkpoint })],
    });
    const { nats, names } = mesh;
    for (const lane of ["live", "bulk"] as const) {
      await acceptLive(mesh, someLeads(10));
      for (const [, data, h] of messages)
        nats.publish(names.mailbox("one").subject(lane), data, h ? { headers: h } : {});
      await put(mesh, "one", "bulk", someLeads(10));
    }
    const broken = messages.filter(([, , , why]) => why.source !== "^$");
    const letters = await eventually("a dead letter each", async () => {
      const dead = await deadLetters(mesh);
      return dead.length === broken.length * 2 ? dead : null;
    });
    await eventually("the good ones", () => ends.size === 41);
    await quiet(mesh, ["one"]);
    for (const [name, data, , why] of broken) {
      const found = letters.filter(({ error, raw }) => why.test(error.message) && data.length > 0 === raw!.length > 0);
      assert.ok(found.length >= 2, name);
    }
    for (const { lead: none, error, attempts, stream, seq, subject, raw } of letters) {
      assert.deepEqual([none, error.type, attempts, stream], [null, "ENVELOPE", 0, names.mailbox("one").stream]);
      assert.ok(seq > 0 && raw!.length <= 65_536);
      assert.equal(subject, names.dead.subject("one", "unknown"));
    }
    const { stats, state } = await stateOf(mesh, "one");
    assert.deepEqual([stats.foreign, state], [broken.length * 2, "working"]);
  });

  it("in the park is put into the mailbox, where it becomes a dead letter", async () => {
    await using mesh = await startMesh({ flow: [{ name: "one", ...quick }], services: [stage("one")] });
    mesh.nats.publish(mesh.names.park.due("one", "live"), new TextEncoder().encode("hello"));
    await eventually("a dead letter", async () => (await deadLetters(mesh)).length === 1);
    await quiet(mesh, ["one"]);
  });
});

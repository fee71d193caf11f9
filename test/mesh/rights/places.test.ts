import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { pipeline } from "../../../config/pipeline.ts";
import { pack } from "../../../mixins/actor/envelope.ts";
import { parkEnvelopes } from "../../../mixins/actor/mover.ts";
import { ensureStreams, jsApi } from "../../../mixins/jetstream.ts";
import { scan } from "../../../mixins/scan.ts";
import { audit } from "../../../services/leads/audit.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { insertAcceptances } from "../../../services/leads/leads.sql.ts";
import { put } from "../../support/actor.ts";
import { eventually } from "../../support/eventually.ts";
import { aLead } from "../../support/leads.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { acceptBulk, acceptLive, origin } from "../../support/stages.ts";
import { tracesOf } from "../../support/traces.ts";

/** A lead that can be found again by its mark alone, wherever it lies. */
function marked(mark: string, given: Partial<Lead> = {}): Lead {
  return aLead({
    source: "crm",
    sourceId: `id of ${mark}`,
    fields: {
      name: `${mark} Bakery`,
      email: `owner@${mark}.example`,
      phone: "+13125550199",
      domain: `${mark}.example`,
    },
    facts: { site: { status: "ok", title: `Welcome to ${mark}` } },
    ...given,
  });
}

describe("erasing a lead that is on its way", function () {
  this.timeout(60_000);
  let mesh: TestMesh;
  before(async () => {
    mesh = await startMesh({
      services: ["services/rights/rights.service.ts", "services/leads/leads.service.ts"],
      env: { LEADS_ERASE_AGAIN_MS: "200" },
    });
    await ensureStreams(mesh.nats, mesh.names, mesh.settings, pipeline);
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  const erase = (lead: Lead) =>
    mesh.broker.call<{ id: string; state: string; leads: string[]; did: Record<string, number> }, object>(
      "rights.erase",
      {
        tenant: lead.tenant,
        id: lead.leadId,
      },
    );
  const done = (lead: Lead) =>
    eventually("the erasure is done", async () => {
      const erasure = await erase(lead);
      return erasure.state === "done" && erasure;
    });
  /** Ids of the leads that a stream holds. */
  async function idsIn(stream: string): Promise<string[]> {
    const ids: string[] = [];
    for await (const batch of scan(mesh.nats, stream))
      for (const { data } of batch)
        ids.push(...JSON.parse(Buffer.from(data).toString()).items.map((item: { lead: Lead }) => item.lead.leadId));
    return ids;
  }
  async function conserved(...erased: Lead[]) {
    const told = await audit({ nats: mesh.nats, names: mesh.names, settings: mesh.settings });
    assert.deepEqual(told.broken, []);
    for (const lead of erased)
      assert.equal(
        (await mesh.resources.databases.of("acme")("leads").where({ lead_id: lead.leadId }).first()).state,
        "erased",
      );
  }

  it("takes it out of an import's envelope and lets the others go on", async () => {
    const mark = `mark${randomUUID().slice(0, 8)}`;
    const lead = marked(mark);
    const others = [aLead(), aLead()];
    await acceptBulk(mesh, [others[0]!, lead, others[1]!]);
    await eventually("it is booked", () =>
      mesh.resources.databases.of("acme")("acceptances").where({ lead_id: lead.leadId }).first(),
    );
    assert.notDeepEqual(await tracesOf(mesh, mark), []);

    const { did, leads } = await erase(lead);
    assert.deepEqual(leads, [lead.leadId]);
    assert.equal(did[mesh.names.intake.stream], 1);
    assert.deepEqual(await tracesOf(mesh, mark), []);
    assert.deepEqual((await idsIn(mesh.names.park.stream)).sort(), others.map((l) => l.leadId).sort());
    await done(lead);
    await conserved(lead);
  });

  for (const [where, send] of Object.entries({
    live: (lead: Lead) => acceptLive(mesh, [lead]),
    ...Object.fromEntries(
      pipeline.map(({ name }) => [
        `in the mailbox of ${name}, between others`,
        async (lead: Lead) => {
          await accepted(lead);
          await put(mesh, name, "bulk", [aLead(), lead, aLead()]);
        },
      ]),
    ),
    "parked until tomorrow": async (lead: Lead) => {
      await accepted(lead);
      const items = [
        { lead, tries: { count: 1, firstAt: 1, lastAt: 1, error: { type: "X", message: lead.fields.name } } },
      ];
      await park([...items, { lead: aLead() }], Date.now() + 86_400_000);
    },
    dead: (lead: Lead) => bury(lead),
  }))
    it(`finds it ${where}`, async () => {
      const mark = `mark${randomUUID().slice(0, 8)}`;
      const lead = marked(mark);
      await send(lead);
      const open = () =>
        mesh.resources.databases.of("acme")("dead_letters").where({ lead_id: lead.leadId, state: "dead" });
      if (where === "dead") await eventually("it is in the index", async () => (await open()).length === 1);
      await erase(lead);
      assert.deepEqual(await tracesOf(mesh, mark), []);
      await done(lead);
      assert.deepEqual(await open(), []);
      await conserved(lead);
    });

  /** As the recorder books it. */
  const accepted = ({ tenant, leadId }: Lead) =>
    insertAcceptances(mesh.resources.databases.of(tenant), [
      { tenant, leadId, acceptedAt: Date.now(), importId: null },
    ]);
  async function park(items: { lead: Lead }[], until: number) {
    const route = { ...origin(), lane: "bulk" as const };
    const parked = items.map((item) => ({ item, until, seq: 1 }));
    for (const { subject, envelope } of parkEnvelopes(mesh.names, "score", route, parked))
      await mesh.nats.jetstream().publish(subject, envelope.data, { headers: envelope.headers });
  }
  async function bury(lead: Lead) {
    const letter = { v: 1, lead, stage: "score", error: { type: "X", message: lead.fields.name }, attempts: 1 };
    await mesh.nats.jetstream().publish(mesh.names.dead.subject("score", lead.tenant), JSON.stringify(letter));
  }

  it("keeps the moment of those who were parked with it, and cancels the old schedule", async () => {
    const lead = marked(`mark${randomUUID().slice(0, 8)}`);
    const other = aLead();
    const until = Date.now() + 1_500;
    await accepted(lead);
    await park([{ lead }, { lead: other }], until);
    await erase(lead);
    assert.deepEqual(
      (await idsIn(mesh.names.park.stream)).filter((id) => id === other.leadId),
      [other.leadId],
    );
    const due = await eventually("the other's time comes", async () => {
      for await (const batch of scan(mesh.nats, mesh.names.park.stream, {
        subject: mesh.names.park.due("score", "bulk"),
      }))
        for (const { data } of batch) if (Buffer.from(data).includes(other.leadId)) return Buffer.from(data).toString();
      return undefined;
    });
    assert.ok(Date.now() >= until - 250);
    assert.ok(!due.includes(lead.leadId));
    await done(lead);
  });

  it("strips a dead letter that could not be read of what it began with", async () => {
    const mark = `mark${randomUUID().slice(0, 8)}`;
    const lead = marked(mark);
    await acceptLive(mesh, [lead]);
    const [envelope] = pack({ ...origin(), lane: "live" }, [{ lead }]);
    const raw = Buffer.from(envelope!.data).toString().slice(0, -2);
    const letter = {
      v: 1,
      lead: null,
      stage: "enrich",
      error: { type: "ENVELOPE", message: "not JSON" },
      attempts: 0,
      raw,
    };
    const subject = mesh.names.dead.subject("enrich", "unknown");
    await mesh.nats.jetstream().publish(subject, JSON.stringify(letter));
    await erase(lead);
    assert.deepEqual(await tracesOf(mesh, mark), []);
    const last = await jsApi(mesh.nats, `STREAM.MSG.GET.${mesh.names.dead.stream}`, { last_by_subj: subject });
    assert.equal(JSON.parse(Buffer.from(last.message.data, "base64").toString()).raw, "(erased)");
    await done(lead);
  });

  it("finds one that was accepted and is not booked yet, alone or among others", async () => {
    const [one, among] = [1, 2].map(() => marked(`mark${randomUUID().slice(0, 8)}`, { tenant: "acme" })) as [
      Lead,
      Lead,
    ];
    await using unbooked = await startMesh({
      services: ["services/rights/rights.service.ts"],
      env: { LEADS_ERASE_AGAIN_MS: "200" },
    });
    await ensureStreams(unbooked.nats, unbooked.names, unbooked.settings, pipeline);
    await acceptLive(unbooked, [aLead(), one]);
    await acceptBulk(unbooked, [aLead(), among, aLead()]);
    for (const { tenant, leadId } of [one, among]) {
      const { leads } = await unbooked.broker.call<{ leads: string[] }, object>("rights.erase", { tenant, id: leadId });
      assert.deepEqual(leads, [leadId]);
      const stranger = unbooked.broker.call("rights.erase", { tenant: "zenith", id: leadId });
      await assert.rejects(stranger, { type: "NOT_FOUND" });
    }
  });

  it("looks into no mailbox for a lead that was never accepted", async () => {
    const asked = new Set<string>();
    const listening = mesh.nats.subscribe("$JS.API.DIRECT.GET.>", {
      callback: (_error, { subject }) => void asked.add(subject.split(".")[4]!),
    });
    try {
      await assert.rejects(erase(aLead()), { type: "NOT_FOUND" });
      await mesh.nats.flush();
    } finally {
      listening.unsubscribe();
    }
    assert.deepEqual([...asked], [mesh.names.accepted.stream]);
  });

  it("says 404 of a lead that nobody has heard of, or another tenant's, and does nothing", async () => {
    const lead = marked(`mark${randomUUID().slice(0, 8)}`, { tenant: "zenith" });
    await put(mesh, "score", "live", [lead]);
    await assert.rejects(erase({ ...lead, tenant: "acme" }), { type: "NOT_FOUND" });
    await assert.rejects(erase(aLead()), { type: "NOT_FOUND" });
    assert.ok((await idsIn(mesh.names.mailbox("score").stream)).includes(lead.leadId));
  });
});

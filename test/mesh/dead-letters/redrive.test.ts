import assert from "node:assert/strict";
import { pipeline, sideStages } from "../../../config/pipeline.ts";
import { pack, unpack } from "../../../mixins/actor/envelope.ts";
import { ensureStreams, jsApi } from "../../../mixins/jetstream.ts";
import { transaction } from "../../../mixins/knex.ts";
import { scan } from "../../../mixins/scan.ts";
import { audit } from "../../../services/leads/audit.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { insertLeads } from "../../../services/leads/record.ts";
import { bury, jobEnd, mailboxLeads } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { aLead, passed } from "../../support/leads.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { origin } from "../../support/stages.ts";

const services = ["services/leads/leads.service.ts", "services/dead-letters/dead-letters.service.ts"];
const by = "a test";
const envelopeOf = (lead: Lead) => pack({ ...origin(lead.tenant), lane: "live" }, [{ lead }])[0]!;

describe("dead letters", function () {
  this.timeout(60_000);

  let mesh: TestMesh;
  before(async () => {
    mesh = await startMesh({ services });
    await ensureStreams(mesh.nats, mesh.names, mesh.settings, pipeline, sideStages);
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  let tenants = 0;
  /** A tenant of this test's own, with so many leads of its. */
  const some = (count: number, given: Partial<Lead> = {}) => {
    const tenant = `t${++tenants}`;
    const leads = Array.from({ length: count }, () => passed(aLead({ tenant, ...given }), "enrich", "dedupe"));
    return { tenant, leads };
  };
  const call = <T = any>(action: string, params: object) =>
    mesh.broker.call<T, object>(`dead-letters.${action}`, params);
  const inMailbox = async (stage: string, tenant: string) =>
    (await mailboxLeads(mesh, stage)).filter((lead) => lead.tenant === tenant);
  const holds = async () => {
    const { ok, broken } = await audit({ nats: mesh.nats, names: mesh.names, settings: mesh.settings });
    assert.ok(ok, broken.join());
  };
  const row = (lead: Lead) => mesh.resources.databases.of("")("leads").where({ lead_id: lead.leadId }).first();

  it("are listed newest first, a page at a time, by stage, error and time, and counted", async () => {
    const { tenant, leads } = some(9);
    await bury(mesh, leads.slice(0, 4));
    await bury(mesh, leads.slice(4, 7), { error: "OUTAGE" });
    const between = Date.now();
    await bury(mesh, leads.slice(7), { stage: "mockup" });
    const pages: any[] = [];
    for (let cursor: string | undefined; ; ) {
      const { items, next } = await call("list", { tenant, limit: 4, ...(cursor && { cursor }) });
      pages.push(...items);
      if (!next) break;
      cursor = next;
    }
    assert.equal(pages.length, 9);
    assert.deepEqual(new Set(pages.map(({ leadId }) => leadId)).size, 9);
    assert.ok(pages.every(({ diedAt }, n) => n === 0 || diedAt <= pages[n - 1].diedAt));
    const count = async (filter: object) => (await call("list", { tenant, ...filter })).items.length;
    assert.equal(await count({ stage: "score" }), 7);
    assert.equal(await count({ error: "OUTAGE" }), 3);
    assert.equal(await count({ stage: "mockup", error: "OUTAGE" }), 0);
    assert.equal(await count({ since: between }), 2);
    assert.equal(await count({ until: between }), 7);
    assert.deepEqual(await call("counts", { tenant }), {
      total: 9,
      oldest: pages.at(-1),
      items: [
        { stage: "score", error: "TypeError", count: 4 },
        { stage: "score", error: "OUTAGE", count: 3 },
        { stage: "mockup", error: "TypeError", count: 2 },
      ],
    });
    const everyones = await call("list", { tenant: "*", stage: "mockup" });
    assert.ok(everyones.items.filter((l: any) => l.tenant === tenant).length === 2);
    await assert.rejects(call("list", { tenant, cursor: "none" }), { type: "VALIDATION" });
  });

  it("are shown with the lead, its history and the error, to their own tenant", async () => {
    const { tenant, leads } = some(1);
    await bury(mesh, leads);
    const [{ id }] = (await call("list", { tenant })).items;
    const shown = await call("get", { tenant, id });
    assert.deepEqual(shown.lead, leads[0]);
    assert.deepEqual([shown.error.type, shown.stage, shown.attempts, shown.state], ["TypeError", "score", 6, "dead"]);
    await assert.rejects(call("get", { tenant: "another", id }), { type: "NOT_FOUND" });
  });

  it("are redriven once into the mailbox they came from, by two operators at once and however often it is asked", async () => {
    const { tenant, leads } = some(180);
    await bury(mesh, leads);
    const asked = { tenant, by, filter: {} };
    const jobs = await Promise.all([call("redrive", asked), call("redrive", asked)]);
    const ended = await Promise.all(jobs.map(({ id }) => jobEnd(mesh, id)));
    assert.equal(ended[0].redriven + ended[1].redriven, 180);
    const again = await jobEnd(mesh, (await call("redrive", asked)).id);
    assert.deepEqual([again.matched, again.redriven], [0, 0]);
    const back = await inMailbox("score", tenant);
    assert.deepEqual(back.map((l) => l.leadId).sort(), leads.map((l) => l.leadId).sort());
    assert.deepEqual(
      back.find((l) => l.leadId === leads[0]!.leadId),
      leads[0],
      "as it was, with fresh tries",
    );
    assert.equal((await call("counts", { tenant })).total, 0);
    assert.equal((await row(leads[0]!)).reason, "redriven");
    await holds();
  });

  it("are redriven no faster than asked, no more than asked, and only those that are named", async () => {
    const { tenant, leads } = some(12);
    await bury(mesh, leads);
    const startedAt = Date.now();
    const job = await jobEnd(mesh, (await call("redrive", { tenant, by, filter: {}, rate: 4, limit: 8 })).id);
    assert.equal(job.redriven, 8);
    assert.ok(Date.now() - startedAt > 900, `${Date.now() - startedAt} ms`);
    const { items } = await call("list", { tenant });
    const ids = items.slice(0, 2).map(({ id }: { id: string }) => id);
    const named = await jobEnd(mesh, (await call("redrive", { tenant, by, ids })).id);
    assert.equal(named.redriven, 2);
    assert.equal((await call("counts", { tenant })).total, 2);
    await assert.rejects(call("redrive", { tenant, by }), { type: "VALIDATION" });
    for (const none of [{ limit: null }, { rate: null }, { filter: { since: null } }])
      await assert.rejects(call("redrive", { tenant, by, filter: {}, ...none }), { type: "VALIDATION" });
  });

  it("are mended by the rules of the edge, and go through from the beginning", async () => {
    const { tenant, leads } = some(1);
    await bury(mesh, leads);
    const [{ id }] = (await call("list", { tenant })).items;
    const redrive = (patch: object, dryRun: boolean) => call("redrive", { tenant, by, ids: [id], patch, dryRun });
    await assert.rejects(redrive({ colour: "red" }, true), { type: "VALIDATION" });
    await assert.rejects(redrive({ sourceId: "other" }, true), { type: "VALIDATION" });
    const refused = await redrive({ phone: "not a phone", name: "Mill" }, true);
    assert.deepEqual([refused.redrivable, refused.left[0].why], [0, "patch_refused"]);
    assert.ok(refused.left[0].faults.some(({ field }: any) => field === "phone"));
    const job = await jobEnd(mesh, (await redrive({ phone: "not a phone", name: "Mill" }, false)).id);
    assert.deepEqual([job.redriven, job.leftDead], [0, { patch_refused: 1 }]);
    assert.equal((await redrive({ name: "Mill", phone: "312 555 0199" }, true)).redrivable, 1);
    assert.equal(await lettersInStreamOf(tenant), 1, "a dry run changes nothing");
    await jobEnd(mesh, (await redrive({ name: "Mill", phone: "312 555 0199" }, false)).id);
    const [lead] = await inMailbox("enrich", tenant);
    assert.deepEqual([lead!.fields.name, lead!.fields.phone, lead!.leadId], ["Mill", "+13125550199", leads[0]!.leadId]);
    assert.deepEqual([lead!.timeline, lead!.sourceId], [[], leads[0]!.sourceId]);
    assert.ok(lead!.revision > leads[0]!.revision, "a later telling");
    await holds();
  });

  it("stay where they are when their lead was told again since, and are put away without it", async () => {
    const { tenant, leads } = some(2);
    const [told, other] = leads as [Lead, Lead];
    await bury(mesh, leads);
    const again = { ...told, revision: told.revision + 1, fields: { name: "Told again", phone: "+13125550177" } };
    const knex = mesh.resources.databases.of("");
    await transaction(knex, (trx) => insertLeads(trx, "dedupe", [again]));
    await mesh.nats.jetstream().publish(mesh.names.mailbox("score").subject("live"), envelopeOf(again).data, {
      headers: envelopeOf(again).headers,
    });
    const asked = { tenant, by, filter: {} };
    const patch = { name: "Mill", phone: "312 555 0199" };
    for (const more of [{}, { patch }]) {
      const dry = await call("redrive", { ...asked, ...more, dryRun: true });
      assert.deepEqual([dry.redrivable, dry.left.map(({ why }: any) => why)], [1, ["told_again"]]);
    }
    const { redriven, leftDead } = await jobEnd(mesh, (await call("redrive", { ...asked, patch })).id);
    assert.deepEqual([redriven, leftDead], [1, { told_again: 1 }]);
    assert.deepEqual(
      (await inMailbox("enrich", tenant)).map(({ leadId }) => leadId),
      [other.leadId],
    );
    assert.deepEqual((await row(told)).fields, again.fields);
    await jobEnd(mesh, (await call("discard", { ...asked, reason: "told again" })).id);
    assert.deepEqual([(await row(told)).state, (await call("counts", { tenant })).total], ["in_progress", 0]);
    await holds();
  });

  it("that are discarded end their leads, and are not redriven any more", async () => {
    const { tenant, leads } = some(5);
    await bury(mesh, leads);
    const before = await call("discard", { tenant, by, filter: {}, reason: "junk", dryRun: true });
    assert.equal(before.matched, 5);
    const discards = [1, 2].map(() => call("discard", { tenant, by, filter: {}, reason: "junk" }));
    const jobs = await Promise.all((await Promise.all(discards)).map(({ id }) => jobEnd(mesh, id)));
    assert.equal(jobs[0].discarded + jobs[1].discarded, 5);
    const { state, reason } = await row(leads[0]!);
    assert.deepEqual([state, reason], ["discarded", "junk"]);
    assert.equal(await lettersInStreamOf(tenant), 0);
    const tally = (await audit({ nats: mesh.nats, names: mesh.names, settings: mesh.settings, tenant })).tenants[
      tenant
    ]!;
    assert.deepEqual([tally.ok, tally.discarded, tally.dead], [true, 5, 0]);
  });

  it("wait for a full mailbox, and nothing is lost meanwhile", async () => {
    const { tenant, leads } = some(30);
    const small = { ...mesh.settings, mailboxEnvelopes: 12 };
    await ensureStreams(mesh.nats, mesh.names, small, [{ name: "email" }]);
    await bury(mesh, leads, { stage: "email" });
    const { id } = await call("redrive", { tenant, by, filter: {} });
    await eventually("the mailbox is full", async () => (await inMailbox("email", tenant)).length === 12);
    await holds();
    const taken: string[] = [];
    const take = async () => {
      const { stream, subject } = mesh.names.mailbox("email");
      for await (const batch of scan(mesh.nats, stream, { subject: subject("live") })) {
        taken.push(
          ...batch.flatMap(({ data, headers }) => unpack<Lead>(data, headers).items.map((i) => i.lead.leadId)),
        );
        await jsApi(mesh.nats, `STREAM.PURGE.${stream}`, { filter: subject("live"), seq: batch.at(-1)!.seq + 1 });
      }
    };
    const job = await eventually("all are through", async () => {
      await take();
      const job = await call("job", { tenant, id });
      return job.state === "done" && job;
    });
    await take();
    assert.deepEqual([job.redriven, taken.length, new Set(taken).size], [30, 30, 30]);
    await ensureStreams(mesh.nats, mesh.names, mesh.settings, [{ name: "email" }]);
  });

  it("of nobody are seen by a platform key's '*' alone, can be discarded, and stay where they are in a redrive", async () => {
    await mesh.nats.jetstream().publish(mesh.names.dead.subject("score", "unknown"), "no letter at all");
    const letter = await eventually("it is filed", async () =>
      (await call("list", { tenant: "*" })).items.find(({ kind }: any) => kind === "foreign"),
    );
    const job = await jobEnd(mesh, (await call("redrive", { tenant: "*", by, ids: [letter.id] })).id);
    assert.deepEqual([job.redriven, job.leftDead], [0, { unreadable: 1 }]);
    assert.equal((await call("list", { tenant: "unknown" })).items.length, 0);
    const gone = await jobEnd(mesh, (await call("discard", { tenant: "*", by, ids: [letter.id], reason: "noise" })).id);
    assert.equal(gone.discarded, 1);
  });

  it("leave a line in the log: who, when, what, on what, and what came of it", async () => {
    const { tenant, leads } = some(1);
    await bury(mesh, leads);
    const { id } = await call("discard", { tenant, by: "key 17", filter: {}, reason: "junk" });
    const line = await eventually("it is booked", () =>
      mesh.resources.databases.of("")("operations").where({ tenant, result: "done" }).first(),
    );
    assert.deepEqual(
      [line.by, line.what, line.target, line.detail.job],
      ["key 17", "dead-letters.discard", "letters", id],
    );
    assert.ok(Math.abs(line.at.getTime() - Date.now()) < 30_000);
    await jobEnd(mesh, id);
  });

  /** How many of the tenant's letters the stream holds. */
  async function lettersInStreamOf(tenant: string): Promise<number> {
    let count = 0;
    for await (const batch of scan(mesh.nats, mesh.names.dead.stream, {
      subject: mesh.names.dead.subject("*", tenant),
    }))
      count += batch.length;
    return count;
  }
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { screenshotKey } from "../../../config/names.ts";
import { pipeline } from "../../../config/pipeline.ts";
import { ensureStreams } from "../../../mixins/jetstream.ts";
import { transaction } from "../../../mixins/knex.ts";
import { ObjectStore } from "../../../mixins/object-store.ts";
import { begin } from "../../../services/leads/erase.sql.ts";
import type { Erasure } from "../../../services/leads/erasures.sql.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { insertLeads } from "../../../services/leads/record.ts";
import { erasers, type Hands } from "../../../services/rights/erasers.ts";
import { put } from "../../support/actor.ts";
import { mailboxLeads } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { aLead } from "../../support/leads.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";

const services = ["services/rights/rights.service.ts", "services/leads/leads.service.ts"];
/** What the service does with an erasure that it has taken into hand. */
interface Rights {
  hands(): Promise<Hands>;
  tryPass(erasure: Erasure): Promise<Erasure>;
}
const ask = (mesh: TestMesh, { tenant, leadId: id }: Lead) =>
  mesh.broker.call<{ id: string; state: string }, object>("rights.erase", { tenant, id });
const idsIn = async (mesh: TestMesh, stage: string) => (await mailboxLeads(mesh, stage)).map(({ leadId }) => leadId);

describe("an erasure that somebody has in hand", function () {
  this.timeout(60_000);

  it("is told of when it is asked for again, and looked for by who asks only where the other is late", async () => {
    await using mesh = await startMesh({ services, env: { LEADS_ERASE_AGAIN_MS: "600000" } });
    await ensureStreams(mesh.nats, mesh.names, mesh.settings, pipeline);
    const knex = mesh.resources.databases.of("acme");
    const lead = aLead();
    const { tenant, leadId } = lead;
    await put(mesh, "score", "bulk", [lead]);
    // Another instance began it, and looks for what there is.
    const asked = { tenant, leadId, erasureId: randomUUID(), leaseMs: 600_000, known: true };
    await transaction(knex, (trx) => begin(trx, asked));
    for (const _time of [1, 2]) {
      const { id, state } = await ask(mesh, lead);
      assert.deepEqual([id, state], [asked.erasureId, "sweeping"]);
    }
    assert.equal((await knex("erasures").first()).passes, 0);
    assert.deepEqual(await idsIn(mesh, "score"), [leadId]);

    await knex("erasures").update({ next_at: new Date(0) });
    await ask(mesh, lead);
    await eventually("it has passed once", async () => (await knex("erasures").first()).passes === 1);
    assert.deepEqual(await idsIn(mesh, "score"), []);
  });

  it("is let go of where it was finished by others and lifted meanwhile: who is told again stays", async () => {
    await using mesh = await startMesh({ services, env: { LEADS_ERASE_AGAIN_MS: "200" } });
    const { nats, names, settings, broker, resources } = mesh;
    await ensureStreams(nats, names, settings, pipeline);
    const knex = resources.databases.of("acme");
    const lead = aLead();
    const { tenant, leadId } = lead;
    await transaction(knex, (trx) => insertLeads(trx, "dedupe", [lead]));
    const { id: erasureId } = await ask(mesh, lead);
    await eventually("it is done", async () => (await ask(mesh, lead)).state === "done");
    await broker.call("rights.lift", { tenant, id: erasureId });
    const again = { ...lead, revision: Date.now() + 60_000 };
    await transaction(knex, (trx) => insertLeads(trx, "dedupe", [again]));
    await put(mesh, "score", "bulk", [aLead(), again], { perEnvelope: 2 });
    const before = await idsIn(mesh, "score");
    const pictures = new ObjectStore(resources.nats, names.objects.screenshots);
    await pictures.put(screenshotKey(tenant, leadId), Buffer.from("a picture"));

    // As whoever took it into hand before that has read it.
    const since = { askedAt: 0, passes: 1, did: {}, websites: [], finishedAt: null };
    const erasure: Erasure = { ...since, tenant, erasureId, leadIds: [leadId] };
    const rights = broker.getLocalService("rights") as unknown as Rights;
    assert.equal(await rights.tryPass(erasure), erasure);
    // And one that was at these places already.
    const hands = await rights.hands();
    for (const place of ["streams", "record"])
      await assert.rejects(erasers[place]!(erasure, hands), { name: "Lifted" }, place);
    assert.deepEqual(await idsIn(mesh, "score"), before);
    const { state: parked } = await nats.jetstreamManager().then((jsm) => jsm.streams.info(names.park.stream));
    assert.equal(parked.messages, 0, "nothing was published");
    const { state, name } = await knex("leads").where({ lead_id: leadId }).first();
    assert.deepEqual([state, name], ["in_progress", lead.fields.name]);
    assert.ok(await pictures.remove(screenshotKey(tenant, leadId)), "the picture is there");
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { pipeline } from "../../../config/pipeline.ts";
import { ensureStreams } from "../../../mixins/jetstream.ts";
import { audit } from "../../../services/leads/audit.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { put } from "../../support/actor.ts";
import { startService } from "../../support/child.ts";
import { eventually } from "../../support/eventually.ts";
import { aLead } from "../../support/leads.ts";
import { startMesh } from "../../support/mesh.ts";
import { ownNats, ownPostgres, testPlace, withSettings } from "../../support/servers.ts";
import { tracesOf } from "../../support/traces.ts";

const rights = "services/rights/rights.service.ts";
const params = ({ tenant, leadId: id }: Lead) => ({ tenant, id });
interface Erasure {
  state: string;
  did: Record<string, number>;
}

describe("an erasure", function () {
  this.timeout(120_000);

  it("goes on after kill -9 in the middle, and keeps those who shared an envelope with the person", async () => {
    await using place = await testPlace({ LEADS_ERASE_AGAIN_MS: "1000" });
    await using mesh = await startMesh({ place, services: ["services/leads/leads.service.ts"] });
    await ensureStreams(mesh.nats, mesh.names, mesh.settings, pipeline);
    const mark = `mark${randomUUID().slice(0, 8)}`;
    // The person once in each of many envelopes, as a source tells the same lead again and again.
    const lead = aLead({ fields: { name: mark, email: `me@${mark}.example` } });
    const others: Lead[] = [];
    for (const { name } of pipeline) {
      const told = Array.from({ length: 30 }, (_, n) => [aLead(), { ...lead, revision: lead.revision + n }, aLead()]);
      others.push(...told.flatMap(([a, , b]) => [a!, b!]));
      await put(mesh, name, "bulk", told.flat(), { perEnvelope: 3 });
    }
    const knex = mesh.resources.databases.of("acme");
    await knex("acceptances").insert({ tenant: "acme", lead_id: lead.leadId, accepted_at: new Date() });
    const began = () => knex("erasures").first();
    for (const after of [0, 60]) {
      await using child = await startService(place.settings, rights);
      const nodeID = `one-${child.process.pid}`;
      // Asked once: whoever comes after a killed one goes on by itself.
      if (after === 0) {
        await eventually("it is known", () =>
          mesh.broker.call("$node.list", {}).then((l: any) => l.some((n: any) => n.id === nodeID)),
        );
        void mesh.broker.call("rights.erase", params(lead), { nodeID }).catch(() => {});
      }
      await eventually(
        "it is in the middle",
        async () => {
          const at = await began();
          if (!at || at.finished_at) return at;
          const parked = await mesh.nats.jetstreamManager().then((jsm) => jsm.streams.info(mesh.names.park.stream));
          return parked.state.messages >= after;
        },
        { everyMs: 2 },
      );
      child.process.kill("SIGKILL");
      await child.exited;
      assert.equal((await began()).finished_at, null, "it was killed before its end");
      assert.notDeepEqual(await tracesOf(mesh, mark), [], "something was left");
    }
    // Nobody asks again: it is found by itself.
    await using _last = await startService(place.settings, rights);
    const { did } = await eventually(
      "it is finished",
      async () => {
        const at = await began();
        return at.finished_at && at;
      },
      { withinMs: 20_000, everyMs: 100 },
    );
    assert.deepEqual(await tracesOf(mesh, mark), []);
    assert.equal(did.leads, 1);
    const { broken, erased, inFlight } = await audit({
      nats: mesh.nats,
      names: mesh.names,
      settings: mesh.settings,
      accepted: others.map(({ leadId, tenant }) => ({ leadId, tenant })),
    });
    assert.deepEqual({ broken, erased, inFlight }, { broken: [], erased: 1, inFlight: others.length });
  });

  it("answers that PostgreSQL is down, with nothing begun, and that NATS is, and goes on when it is back", async () => {
    await using nats = await ownNats();
    await using place = await testPlace({ LEADS_ERASE_AGAIN_MS: "500" });
    const settings = withSettings(place.settings, { LEADS_NATS_URL: nats.url });
    await using mesh = await startMesh({ place: { settings, names: place.names }, services: [rights] });
    await ensureStreams(mesh.nats, mesh.names, settings, pipeline);
    const mark = `mark${randomUUID().slice(0, 8)}`;
    const lead = aLead({ fields: { name: mark } });
    await put(mesh, "score", "bulk", [aLead(), lead]);

    await using postgres = await ownPostgres();
    const noDatabase = withSettings(settings, { LEADS_DATABASE_URL: postgres.url });
    await using other = await startMesh({ place: { settings: noDatabase, names: place.names }, services: [rights] });
    await postgres.stop(5_000);
    await assert.rejects(other.broker.call("rights.erase", params(lead), { nodeID: other.broker.nodeID }), {
      type: "OUTAGE",
      data: { dependency: "postgres" },
    });
    await other.stop();

    // The person is on record, so that the erasure begins without NATS.
    const knex = mesh.resources.databases.of("acme");
    await knex("acceptances").insert({ tenant: "acme", lead_id: lead.leadId, accepted_at: new Date() });
    await nats.stop(5_000);
    const asked = mesh.broker.call("rights.erase", params(lead), { nodeID: mesh.broker.nodeID });
    await assert.rejects(asked, { type: "OUTAGE", data: { dependency: "nats" } });
    assert.equal((await knex("erasures").first()).finished_at, null);
    await nats.start();
    await eventually("it has gone on by itself", async () => (await knex("erasures").first()).finished_at, {
      withinMs: 20_000,
    });
    assert.deepEqual(await tracesOf(mesh, mark), []);
    const again = await mesh.broker.call<Erasure, object>("rights.erase", params(lead));
    assert.equal(again.state, "done");
  });
});

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, headers as natsHeaders } from "nats";
import { natsServer } from "../../bin/stack/nats.ts";
import { pipeline, sideStages } from "../../config/pipeline.ts";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { getMessage } from "../../mixins/scan.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { streamInfo } from "../support/actor.ts";
import { bury, jobEnd, mailboxLeads } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { aLead, passed } from "../support/leads.ts";
import { startMesh } from "../support/mesh.ts";
import { natsBinary, own, testPlace, withSettings } from "../support/servers.ts";

/**
 * A direct get is answered by whichever replica is asked, and one that lags behind says 404 of a message that stands. Its
 * letter was closed as `gone`, so that nobody saw it any more, while it stood in the stream.
 */
describe("a dead letter that a replica does not have yet", function () {
  this.timeout(60_000);

  /** A NATS where direct gets from a stream reach a replica that has nothing yet. */
  async function laggingNats(stream: string) {
    const kind = natsServer(await natsBinary());
    const replica = `replica.${randomBytes(4).toString("hex")}`;
    const server = await own({
      ...kind,
      async prepare(dataDir) {
        await kind.prepare?.(dataDir);
        const mapped = `mappings: { "$JS.API.DIRECT.GET.${stream}": "${replica}" }`;
        writeFileSync(join(dataDir, "nats.conf"), `max_payload: 8MB\n${mapped}\n`);
      },
    });
    const nc = await connect({ servers: server.url });
    const none = { headers: natsHeaders(404, "Message Not Found") };
    nc.subscribe(replica, { callback: (_error, message) => void message.respond(undefined, none) });
    return {
      url: server.url,
      async [Symbol.asyncDispose]() {
        await nc.close();
        await server[Symbol.asyncDispose]();
      },
    };
  }

  it("is put back, told of whole, and leaves the stream when its lead has become another's double", async () => {
    await using place = await testPlace();
    const { stream } = place.names.dead;
    await using nats = await laggingNats(stream);
    const settings = withSettings(place.settings, { LEADS_NATS_URL: nats.url });
    await using mesh = await startMesh({
      place: { settings, names: place.names },
      services: ["services/leads/leads.service.ts", "services/dead-letters/dead-letters.service.ts"],
    });
    await ensureStreams(mesh.nats, mesh.names, settings, pipeline, sideStages);
    const call = (action: string, params: object) => mesh.broker.call<any, object>(`dead-letters.${action}`, params);
    const [lead, double] = [1, 2].map(() => passed(aLead(), "enrich", "dedupe")) as [Lead, Lead];
    await bury(mesh, [lead]);
    assert.equal(await getMessage(mesh.nats, stream, { seq: 1 }), null, "the replica lags behind");

    const [{ id }] = (await call("list", { tenant: "acme" })).items;
    assert.deepEqual((await call("get", { tenant: "acme", id })).lead, lead);
    const ask = { tenant: "acme", by: "a test", ids: [id] };
    assert.equal((await call("redrive", { ...ask, dryRun: true })).redrivable, 1);
    const { redriven, leftDead } = await jobEnd(mesh, (await call("redrive", ask)).id);
    assert.deepEqual([redriven, leftDead], [1, {}]);
    assert.deepEqual(await mailboxLeads(mesh, "score"), [lead]);

    // As dedupe closes it: the service takes it out of the stream by and by.
    await bury(mesh, [double]);
    await mesh.resources.databases.of("")("dead_letters").where({ lead_id: double.leadId }).update({ state: "merged" });
    await eventually("it is closed", () =>
      mesh.resources.databases
        .of("")("dead_letters")
        .where({ lead_id: double.leadId })
        .whereNotNull("closed_at")
        .first(),
    );
    assert.equal((await streamInfo(mesh.nats, stream)).state.messages, 0);
  });
});

import assert from "node:assert/strict";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { findLead } from "../../services/operations/whereabouts.ts";
import { put } from "../support/actor.ts";
import { aLead } from "../support/leads.ts";
import { startMesh } from "../support/mesh.ts";

describe("the search of the streams for a lead", () => {
  it("tells a tenant of its own leads alone, though the mailboxes are everybody's", async () => {
    await using mesh = await startMesh({ services: [] });
    const { nats, names, settings } = mesh;
    const flow = [{ name: "enrich" }];
    await ensureStreams(nats, names, settings, flow);
    const lead = aLead({ tenant: "acme" });
    await put(mesh, "enrich", "live", [lead]);
    const seen = (tenant: string) => findLead(nats, names, ["enrich"], tenant, lead.leadId);
    assert.deepEqual(
      (await seen("acme")).sightings.map(({ place, stage }) => [place, stage]),
      [["mailbox", "enrich"]],
    );
    assert.deepEqual(await seen("zenith"), { sightings: [], incomplete: false });
  });
});

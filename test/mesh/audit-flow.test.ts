import assert from "node:assert/strict";
import { pipeline } from "../../config/pipeline.ts";
import { complete, forward, wait } from "../../mixins/actor/outcome.ts";
import { audit } from "../../services/leads/audit.ts";
import { recordEnds } from "../../services/leads/record.ts";
import { eventually } from "../support/eventually.ts";
import { aLead } from "../support/leads.ts";
import { startMesh } from "../support/mesh.ts";
import { acceptBulk, acceptLive, stage } from "../support/stages.ts";

const leadsService = "services/leads/leads.service.ts";

describe("the audit of a mesh at work", function () {
  this.timeout(60_000);

  it("finds conservation whole at every moment while leads flow, retry and end, and counts every one when it is quiet", async () => {
    const leads = Array.from({ length: 4_000 }, (_, n) => aLead({ tenant: n % 2 ? "acme" : "other" }));
    /** Every tenth waits a moment, once: it goes to the park and comes back to a mailbox that was read already. */
    const waits = new Set(leads.filter((_, n) => n % 10 === 0).map((lead) => lead.leadId));
    const services = pipeline.map(({ name }, n) =>
      stage(name, {
        handle: (batch) =>
          batch.map(({ lead }) => {
            if (name === "score" && waits.delete(lead.leadId)) return wait(Date.now() + 50, "a moment");
            return n === pipeline.length - 1 ? complete(lead, "done") : forward(lead);
          }),
        checkpoint: recordEnds,
      }),
    );
    await using mesh = await startMesh({
      services: [leadsService, "services/admission/admission.service.ts", ...services],
    });
    const of = (tenant: string) => leads.filter((lead) => lead.tenant === tenant);
    const { nats, names, settings } = mesh;
    const sending = Promise.all([acceptBulk(mesh, of("acme")), acceptLive(mesh, of("other"))]);
    let sawFlight = 0;
    let looks = 0;
    await eventually(
      "all leads have ended",
      async () => {
        const seen = await audit({ nats, names, settings });
        looks++;
        assert.deepEqual(seen.broken, []);
        const { completed, inFlight, accepted } = seen;
        assert.equal(completed + inFlight, accepted);
        sawFlight = Math.max(sawFlight, inFlight);
        return completed === leads.length;
      },
      { withinMs: 50_000 },
    );
    await sending;
    assert.ok(sawFlight > 0 && looks > 1, "it was looked at while leads were on their way");
    const { tenants, accepted, ok } = await audit({ nats, names, settings, accepted: leads });
    assert.deepEqual(
      [accepted, ok, tenants["acme"]?.completed, tenants["other"]?.completed],
      [4_000, true, 2_000, 2_000],
    );
  });
});

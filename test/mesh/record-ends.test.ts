import assert from "node:assert/strict";
import type { Service } from "moleculer";
import type { Verdict } from "../../mixins/actor/outcome.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { recordEnds } from "../../services/leads/record.ts";
import { aLead, passed } from "../support/leads.ts";
import { startMesh } from "../support/mesh.ts";

describe("a stage's checkpoint", () => {
  it("records what ends, by its kind and for every tenant, and leaves what goes on alone", async () => {
    await using mesh = await startMesh({ services: [] });
    const [on, done, double, none] = [aLead(), aLead({ tenant: "other" }), aLead(), aLead()].map((l) =>
      passed(l, "enrich"),
    );
    const verdicts: Verdict<Lead>[] = [
      { kind: "forward", lead: on! },
      { kind: "complete", lead: done!, reason: "modern_site" },
      { kind: "merge", lead: double!, into: on!.leadId },
      { kind: "reject", lead: none!, reason: "no_business" },
    ];
    const service = { broker: mesh.broker } as Service;
    await recordEnds.call(service, "score", verdicts);
    await recordEnds.call(service, "score", verdicts);
    await recordEnds.call(service, "score", []);
    const rows = await mesh.resources.databases.of("")("leads");
    assert.deepEqual(
      new Map(rows.map((r: any) => [r.lead_id, [r.tenant, r.state, r.reason, r.merged_into, r.stage, r.step]])),
      new Map([
        [done!.leadId, ["other", "completed", "modern_site", null, "score", 1]],
        [double!.leadId, ["acme", "merged", null, on!.leadId, "score", 1]],
        [none!.leadId, ["acme", "rejected", "no_business", null, "score", 1]],
      ]),
    );
  });
});

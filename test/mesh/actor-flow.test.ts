import assert from "node:assert/strict";
import { complete, forward, reject, retry } from "../../mixins/actor/outcome.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

describe("the actor", () => {
  const flow = [
    { name: "one", ...quick },
    { name: "two", ...quick },
  ];

  it("passes every lead through every stage, once, with its timeline", async () => {
    const ended = new Map<string, Lead>();
    let repeats = 0;
    await using mesh = await startMesh({
      flow,
      services: [
        stage("one"),
        stage("two", {
          async checkpoint(_stage, verdicts) {
            for (const { lead } of verdicts) {
              if (ended.has(lead.leadId)) repeats++;
              ended.set(lead.leadId, lead);
            }
          },
        }),
      ],
    });
    const leads = someLeads(200);
    await acceptLive(mesh, leads);
    await eventually("all ended", () => ended.size === leads.length);
    await quiet(mesh, ["one", "two"]);
    assert.equal(repeats, 0);
    for (const lead of leads) {
      const timeline = ended.get(lead.leadId)!.timeline;
      assert.deepEqual(
        timeline.map(({ stage, outcome }) => `${stage} ${outcome}`),
        ["one forward", "two complete"],
      );
    }
  });

  it("lets the leads of one envelope part ways", async () => {
    const seen: Record<string, string[]> = { complete: [], reject: [], forward: [] };
    await using mesh = await startMesh({
      flow,
      services: [
        stage("one", {
          handle: (batch) =>
            batch.map(({ lead, attempt }) => {
              const n = Number(lead.sourceId);
              if (n % 4 === 0) return complete(lead, "enough");
              if (n % 4 === 1) return reject(lead, "no lead");
              if (n % 4 === 2 && attempt === 1) return retry(new Error("not yet"));
              return forward(lead);
            }),
          async checkpoint(_stage, verdicts) {
            for (const { kind, lead } of verdicts) seen[kind]!.push(lead.leadId);
          },
        }),
        stage("two"),
      ],
    });
    await acceptLive(mesh, someLeads(40));
    await eventually("all decided", () => Object.values(seen).flat().length >= 40);
    await quiet(mesh, ["one", "two"]);
    assert.deepEqual(
      Object.entries(seen).map(([kind, ids]) => [kind, new Set(ids).size, ids.length]),
      [
        ["complete", 10, 10],
        ["reject", 10, 10],
        ["forward", 20, 20],
      ],
    );
  });
});

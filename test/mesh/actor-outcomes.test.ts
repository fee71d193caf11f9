import assert from "node:assert/strict";
import { complete, forward, type Outcome, reject, retry } from "../../mixins/actor/outcome.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { deadLetters, Ends, put } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow = [{ name: "one", ...quick, batchLeads: 250, lingerMs: 100, retry: { retries: 1, baseMs: 50, maxMs: 100 } }];
const culprit = (lead: Lead) => lead.sourceId === "77";

/** 250 leads in one batch through a stage; what it ended, what died, and how often its function ran on the first way through. */
async function run(options: { handle?(batch: Lead[]): Outcome<Lead>[]; checkpoint?(leads: Lead[]): void }): Promise<{
  ends: Ends;
  dead: Awaited<ReturnType<typeof deadLetters>>;
  runs: { handle: number; checkpoint: number };
}> {
  const ends = new Ends();
  const runs = { handle: 0, checkpoint: 0 };
  await using mesh = await startMesh({
    flow,
    services: [
      stage("one", {
        handle(batch) {
          if (batch[0]!.attempt === 1) runs.handle++;
          return (options.handle ?? ((leads) => leads.map(forward)))(batch.map(({ lead }) => lead));
        },
        async checkpoint(_stage, verdicts) {
          runs.checkpoint++;
          options.checkpoint?.(verdicts.map(({ lead }) => lead));
          await ends.checkpoint(_stage, verdicts);
        },
      }),
    ],
  });
  await put(mesh, "one", "bulk", someLeads(250));
  await eventually("all decided", async () => ends.size + (await deadLetters(mesh)).length >= 250);
  await quiet(mesh, ["one"]);
  return { ends, dead: await deadLetters(mesh), runs };
}

describe("outcomes", () => {
  it("let one lead whose handler throws not touch the other 249, at the price of 16 more runs", async () => {
    const { ends, dead, runs } = await run({
      handle(leads) {
        if (leads.some(culprit)) throw new Error("a bad lead");
        return leads.map(forward);
      },
    });
    assert.deepEqual([ends.size, ends.repeats, dead.length], [249, 0, 1]);
    assert.equal(dead[0]!.lead!.sourceId, "77");
    assert.equal(dead[0]!.attempts, 2);
    assert.ok(runs.handle <= 17, `${runs.handle} runs`);
  });

  it("let one lead that the record refuses not touch the other 249", async () => {
    const { ends, dead, runs } = await run({
      checkpoint(leads) {
        if (leads.some(culprit)) throw Object.assign(new Error("violates a constraint"), { code: "23514" });
      },
    });
    assert.deepEqual([ends.size, ends.repeats, dead.length], [249, 0, 1]);
    assert.deepEqual([dead[0]!.error.type, dead[0]!.attempts], ["23514", 2]);
    // The timeline of a lead that was refused does not say that it passed.
    assert.deepEqual(dead[0]!.lead!.timeline, []);
    assert.ok(runs.checkpoint <= 18 + 1, `${runs.checkpoint} runs`);
    assert.ok(runs.handle <= 2, `${runs.handle} runs of the handler`);
  });

  it("may differ for each lead of one batch", async () => {
    const { ends, dead } = await run({
      handle: (leads) =>
        leads.map((lead) => {
          const n = Number(lead.sourceId) % 5;
          if (n === 0) return complete(lead, "enough");
          if (n === 1) return reject(lead, "none");
          if (n === 2) return retry(new LeadsError("VALIDATION", "never"));
          return forward(lead);
        }),
    });
    assert.deepEqual([ends.size, ends.repeats, dead.length], [200, 0, 50]);
    const outcomes = [...ends.leads.values()].map((lead) => lead.timeline.at(-1)!.outcome);
    assert.equal(outcomes.filter((outcome) => outcome === "complete").length, 150);
    assert.equal(outcomes.filter((outcome) => outcome === "reject").length, 50);
    assert.ok(dead.every(({ attempts, error }) => attempts === 1 && error.type === "VALIDATION"));
  });

  it("that are none, too few, or another lead's make dead letters of those leads alone", async () => {
    const { ends, dead } = await run({
      handle: (leads) => {
        const outcomes = leads.map((lead) => {
          if (lead.sourceId === "1") return undefined as unknown as Outcome<Lead>;
          if (lead.sourceId === "2") return forward({ ...lead, leadId: "another" });
          if (lead.sourceId === "3") return { kind: "wait", until: Number.NaN, reason: "" } as Outcome<Lead>;
          return forward(lead);
        });
        return leads.some(({ sourceId }) => sourceId === "4") ? outcomes.slice(1) : outcomes;
      },
    });
    assert.deepEqual(dead.map(({ lead }) => lead!.sourceId).sort(), ["1", "2", "3", "4"]);
    assert.ok(dead.every(({ error }) => error.type === "OUTCOMES"));
    assert.deepEqual([ends.size, ends.repeats], [246, 0]);
  });

  it("make a dead letter of a lead that outgrows any message, and the others pass", async () => {
    const { ends, dead } = await run({
      handle: (leads) =>
        leads.map((lead) => {
          if (culprit(lead)) lead.fields.name = "漢".repeat(600_000);
          return culprit(lead) ? retry(new Error("x".repeat(2_000_000))) : forward(lead);
        }),
    });
    assert.deepEqual([ends.size, dead.length], [249, 1]);
    assert.equal(dead[0]!.error.type, "ENVELOPE");
    assert.equal(dead[0]!.lead!.fields.name, "Business 77");
  });
});

import assert from "node:assert/strict";
import { forward } from "../../mixins/actor/outcome.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { consumerInfo, ensureStreams, jsApi } from "../../mixins/jetstream.ts";
import { Admitter } from "../../services/admission/admitter.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { acceptBulk, acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow = [{ name: "one", ...quick, concurrency: 1 }];
const admission = "services/admission/admission.service.ts";

/** A stage that notes the leads as they pass, `msALead` each. */
function noting(passed: Lead[], msALead: number) {
  return stage("one", {
    async handle(batch) {
      await new Promise((resolve) => setTimeout(resolve, batch.length * msALead));
      passed.push(...batch.map(({ lead }) => lead));
      return batch.map(({ lead }) => forward(lead));
    },
  });
}

describe("admission", () => {
  it("gives a tenant with a small import its share behind another's large one", async () => {
    const passed: Lead[] = [];
    await using mesh = await startMesh({ flow, services: [noting(passed, 0.2), admission] });
    await acceptBulk(mesh, someLeads(30_000, "large"));
    await eventually("the large import is under way", () => passed.length > 1_000);
    const before = passed.length;
    await acceptBulk(mesh, someLeads(6_000, "small"));
    const smallDone = () => passed.filter(({ tenant }) => tenant === "small").length === 6_000;
    await eventually("the small import is through", smallDone, { withinMs: 30_000 });
    const last = passed.findLastIndex(({ tenant }) => tenant === "small");
    const meanwhile = passed.slice(before, last + 1);
    const share = 6_000 / meanwhile.length;
    assert.ok(
      share >= 0.33,
      `the small import got ${share.toFixed(2)} of the stage while it was there, of ${meanwhile.length} leads`,
    );
  });

  it("loses and doubles nothing, and keeps the first mailbox shallow", async () => {
    const passed: Lead[] = [];
    await using mesh = await startMesh({ flow, services: [noting(passed, 0.05), admission] });
    const { nats, names } = mesh;
    let deepest = 0;
    const depth = async () => {
      const info = await consumerInfo(nats, names.mailbox("one").stream, "bulk");
      deepest = Math.max(deepest, info.num_pending + info.num_ack_pending);
    };
    const leads = ["a", "b", "c"].flatMap((tenant) => someLeads(5_000, tenant));
    await Promise.all(
      ["a", "b", "c"].map((tenant) =>
        acceptBulk(
          mesh,
          leads.filter((lead) => lead.tenant === tenant),
        ),
      ),
    );
    const through = async () => {
      await depth();
      return passed.length >= leads.length;
    };
    await eventually("all are through", through, { withinMs: 30_000 });
    await quiet(mesh, ["one"]);
    assert.equal(passed.length, leads.length);
    assert.equal(new Set(passed.map(({ leadId }) => leadId)).size, leads.length);
    assert.equal((await jsApi(nats, `STREAM.INFO.${names.intake.stream}`)).state.messages, 0);
    assert.ok(deepest <= 300, `${deepest} envelopes were in the first mailbox`);
  });

  it("is no way that live leads take", async () => {
    const passed: Lead[] = [];
    await using mesh = await startMesh({ flow, services: [noting(passed, 0.2), admission] });
    await acceptBulk(mesh, someLeads(20_000, "large"));
    await eventually("the import is under way", () => passed.length > 500);
    const [lead] = someLeads(1, "small") as [Lead];
    const since = performance.now();
    await acceptLive(mesh, [lead]);
    await eventually("the live lead is through", () => passed.some(({ leadId }) => leadId === lead.leadId), {
      everyMs: 2,
    });
    const tookMs = performance.now() - since;
    assert.ok(
      passed.length < 20_000 && tookMs < 1_000,
      `took ${tookMs.toFixed(0)} ms while ${passed.length} of 20,000 were through`,
    );
  });

  it("takes nothing for a repeat where the intake was made anew, and gives sequences again", async () => {
    const passed: Lead[] = [];
    await using mesh = await startMesh({ flow, services: [noting(passed, 0.05), admission] });
    const { nats, names, settings } = mesh;
    await acceptBulk(mesh, someLeads(200, "a"));
    await eventually("the first are through", () => passed.length === 200);
    await quiet(mesh, ["one"]);
    await jsApi(nats, `STREAM.DELETE.${names.intake.stream}`);
    await ensureStreams(nats, names, settings, flow);
    await acceptBulk(mesh, someLeads(200, "a"));
    await eventually("those after it are through", () => passed.length === 400, { withinMs: 20_000 });
  });

  it("goes on with the others where a tenant's consumer cannot be had, and with that tenant when it can", async () => {
    const passed: Lead[] = [];
    await using mesh = await startMesh({ flow, services: [noting(passed, 0.05)] });
    const { nats, names } = mesh;
    const { stream } = names.intake;
    const consumer = names.intake.consumer("held");
    // One that pushes cannot become one that is asked.
    const filter = { filter_subject: names.intake.subject("held") };
    const config = { durable_name: consumer, deliver_subject: "nowhere", ack_policy: "explicit", ...filter };
    await jsApi(nats, `CONSUMER.DURABLE.CREATE.${stream}.${consumer}`, { stream_name: stream, config });
    const told: { message: string; tenant?: string }[] = [];
    const publisher = new Publisher(nats);
    const log = (_level: string, message: string, fields: { tenant?: string }) => told.push({ message, ...fields });
    const admitter = new Admitter({ nc: nats, names, publisher, stages: ["one"], limit: 1_000, log });
    try {
      await acceptBulk(mesh, someLeads(200, "held"));
      await acceptBulk(mesh, someLeads(8_000, "free"));
      admitter.start();
      await eventually("the free tenant is through", () => passed.length === 8_000, { withinMs: 20_000 });
      assert.ok(passed.every(({ tenant }) => tenant === "free"));
      await eventually("it is told whose leads wait", () => told.length > 0);
      await jsApi(nats, `CONSUMER.DELETE.${stream}.${consumer}`);
      await eventually("the other one is, too", () => passed.length === 8_200, { withinMs: 20_000 });
      // No round failed for all.
      assert.deepEqual(
        [...new Set(told.map(({ message, tenant }) => `${message}: ${tenant}`))],
        ["admission of a tenant waits: held"],
      );
    } finally {
      await admitter.stop(1_000);
      publisher.close();
    }
  });

  it("is shared by several instances without doubling", async () => {
    const passed: Lead[] = [];
    await using mesh = await startMesh({ flow, services: [noting(passed, 0.02), admission] });
    await using _second = await startMesh({ flow, place: mesh, services: [admission] });
    await acceptBulk(mesh, someLeads(8_000, "a"));
    await eventually("all are through", () => passed.length >= 8_000, { withinMs: 30_000 });
    await quiet(mesh, ["one"]);
    assert.equal(passed.length, 8_000);
  });
});

import assert from "node:assert/strict";
import { complete } from "../../../mixins/actor/outcome.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { recordEnds } from "../../../services/leads/record.ts";
import { entriesOf } from "../../../services/leads/timeline.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh } from "../../support/mesh.ts";
import { testPlace } from "../../support/servers.ts";
import { acceptBulk, acceptLive, quick, quiet, stage } from "../../support/stages.ts";
import { business, seeded, shuffled } from "./place.ts";

const flow = ["dedupe", "after"].map((name) => ({ name, ...quick }));

describe("dedupe: in a mesh", () => {
  it("lets one of each business pass, over two instances and both lanes, and repeats change nothing", async () => {
    await using place = await testPlace();
    const passed: Lead[] = [];
    const after = () =>
      stage("after", {
        handle: (batch) =>
          batch.map(({ lead }) => {
            passed.push(lead);
            return complete(lead, "seen");
          }),
        checkpoint: recordEnds,
      });
    const start = () =>
      startMesh({
        place,
        flow,
        services: ["services/dedupe/dedupe.service.ts", "services/admission/admission.service.ts", after()],
      });
    await using one = await start();
    await using two = await start();
    assert.ok(two.broker.started);
    const count = 150;
    const leads = Array.from({ length: count }, (_, n) => {
      const fields = { name: `Bakery ${n}`, phone: `+1312${6_000_000 + n}` };
      const listed = business(
        { ...fields, email: `b${n}@mail.example` },
        { revision: 1_000, source: "yelp", trust: "yelp" },
      );
      return [business(fields, { revision: 2_000 }), listed];
    }).flat();
    const mixed = shuffled(leads, seeded(7));
    await Promise.all([acceptLive(one, mixed.slice(0, count)), acceptBulk(one, mixed.slice(count))]);
    const knex = one.resources.databases.of("acme");
    const states = async () =>
      Object.fromEntries(
        (await knex("leads").select("state").count("* as n").groupBy("state")).map((r) => [r["state"], Number(r["n"])]),
      );
    await eventually("every lead ends", async () => {
      const { completed, merged } = await states();
      return completed === count && merged === count;
    });
    await quiet(one, ["dedupe", "after"]);
    assert.equal(new Set(passed.map((lead) => lead.leadId)).size, count);
    const merged = await knex("leads").where({ state: "merged" });
    for (const row of merged) {
      assert.equal(row.reason, "duplicate");
      assert.deepEqual(
        entriesOf(row.timeline).map((entry) => [entry.stage, entry.outcome]),
        [["dedupe", "merge"]],
      );
    }
    const winners = await knex("leads").where({ state: "completed" });
    for (const row of winners) {
      assert.ok(row.email, "what either of the two knew stays");
      assert.deepEqual(
        entriesOf(row.timeline).map((entry) => entry.stage),
        ["dedupe", "after"],
      );
    }

    const merges = await knex("merges").count("* as n");
    await acceptLive(one, mixed);
    await eventually("the repeats pass", () => passed.length >= 2 * count);
    await quiet(one, ["dedupe", "after"]);
    assert.deepEqual(await states(), { completed: count, merged: count });
    assert.deepEqual(await knex("merges").count("* as n"), merges);
  });
});

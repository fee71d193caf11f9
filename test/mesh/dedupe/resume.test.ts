import assert from "node:assert/strict";
import { complete } from "../../../mixins/actor/outcome.ts";
import { transaction } from "../../../mixins/knex.ts";
import { unmerge } from "../../../services/dedupe/unmerge.sql.ts";
import { audit } from "../../../services/leads/audit.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { recordEnds } from "../../../services/leads/record.ts";
import { entriesOf } from "../../../services/leads/timeline.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { testPlace } from "../../support/servers.ts";
import { acceptLive, quick, quiet, stage } from "../../support/stages.ts";
import { business } from "./place.ts";

const phone = "+13125550142";
const names = (...stages: string[]) => stages.map((name) => ({ name, ...quick }));
const stateOf = async (mesh: TestMesh, { leadId }: Lead) =>
  (await mesh.resources.databases.of("acme")("leads").where({ lead_id: leadId }).first()) as {
    state: string;
    reason: string;
    timeline: unknown[];
  };
const ended = (mesh: TestMesh, lead: Lead, state: string) =>
  eventually(`it is ${state}`, async () => (await stateOf(mesh, lead))?.state === state);

describe("dedupe: an unmerged lead", () => {
  it("goes on through the stages that it has not passed, and conservation holds before and after", async () => {
    await using place = await testPlace();
    const seen: string[] = [];
    const after = stage("after", {
      handle: (batch) =>
        batch.map(({ lead }) => {
          seen.push(lead.leadId);
          return complete(lead, "seen");
        }),
      checkpoint: recordEnds,
    });
    const start = () =>
      startMesh({ place, flow: names("dedupe", "after"), services: ["services/dedupe/dedupe.service.ts", after] });
    const tally = async ({ resources: { settings, nats } }: TestMesh, leads: Lead[]) => {
      const { completed, merged, inFlight, ok } = await audit({
        nats: await nats(),
        names: place.names,
        settings,
        accepted: leads,
      });
      return { completed, merged, inFlight, ok };
    };
    const winner = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const losers = [2, 3].map((n) => business({ phone, name: "Bakery", foundedYear: 1990 }, { revision: n * 1_000 }));
    const leads = [winner, ...losers];
    {
      await using mesh = await start();
      await acceptLive(mesh, [winner]);
      await ended(mesh, winner, "completed");
      await acceptLive(mesh, losers);
      for (const lead of losers) await ended(mesh, lead, "merged");
      await quiet(mesh, ["dedupe", "after"]);
      assert.deepEqual(await tally(mesh, leads), { completed: 1, merged: 2, inFlight: 0, ok: true });

      const ask = () => mesh.broker.call("dedupe.unmerge", { tenant: "acme", id: losers[0]!.leadId });
      assert.deepEqual(await ask(), { id: losers[0]!.leadId, status: "in_progress", from: winner.leadId });
      await ended(mesh, losers[0]!, "completed");
      await ask();
      const { timeline } = await stateOf(mesh, losers[0]!);
      assert.deepEqual(
        entriesOf(timeline).map((entry) => `${entry.stage} ${entry.outcome}`),
        ["dedupe merge", "dedupe unmerge", "after complete"],
      );
      await quiet(mesh, ["dedupe", "after"]);
      assert.deepEqual(await tally(mesh, leads), { completed: 2, merged: 1, inFlight: 0, ok: true });

      // Whoever undid it died before a mailbox had it.
      const knex = mesh.resources.databases.of("acme");
      await transaction(knex, (trx) => unmerge(trx, { tenant: "acme", leadId: losers[1]!.leadId, now: Date.now() }));
      const { inFlight, completed, ok } = await tally(mesh, leads);
      assert.deepEqual([inFlight + completed, ok], [3, true], "it is missed by nobody meanwhile");
    }
    await using mesh = await start();
    await ended(mesh, losers[1]!, "completed");
    await eventually("it is off the list", async () => {
      const left = await mesh.resources.databases.of("acme")("resumes");
      return left.length === 0;
    });
    assert.deepEqual(await tally(mesh, leads), { completed: 3, merged: 0, inFlight: 0, ok: true });
    assert.ok(new Set(seen).size === 3);
  });

  it("is not written to at an address that was written to, and is at another", async () => {
    await using place = await testPlace();
    await using mesh = await startMesh({
      place,
      flow: names("dedupe", "email"),
      services: ["services/dedupe/dedupe.service.ts", "services/email/email.service.ts"],
    });
    const score = { value: 90, version: "test", fired: [] };
    const email = "info@rosebud.example";
    const winner = business({ phone, name: "Bakery", email }, { revision: 1_000, score });
    const same = business({ phone, name: "Bakery", email }, { revision: 2_000, score });
    const other = business({ phone, name: "Bakery", email: "anna@rosebud.example" }, { revision: 3_000, score });
    await acceptLive(mesh, [winner]);
    await ended(mesh, winner, "completed");
    await acceptLive(mesh, [same, other]);
    for (const lead of [same, other]) await ended(mesh, lead, "merged");
    for (const lead of [same, other]) {
      await mesh.broker.call("dedupe.unmerge", { tenant: "acme", id: lead.leadId });
      await ended(mesh, lead, "completed");
    }
    const reasons = await Promise.all([winner, same, other].map(async (lead) => (await stateOf(mesh, lead)).reason));
    assert.deepEqual(reasons, ["outbox", "already_written_to", "outbox"]);
    const outbox = await mesh.resources.databases.of("acme")("outbox").orderBy("recipient").pluck("recipient");
    assert.deepEqual(outbox, ["anna@rosebud.example", "info@rosebud.example"]);
  });
});

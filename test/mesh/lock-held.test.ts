import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import type { StageState } from "../../mixins/actor.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { entriesOf } from "../../services/leads/timeline.ts";
import { deadLetters } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { acceptLive, someLeads } from "../support/stages.ts";

const root = join(import.meta.dirname, "..", "..");
const services = globSync("services/{enrich,site,dedupe,score,mockup,leads}/*.service.ts", { cwd: root });
const names = ["enrich", "dedupe", "score", "mockup", "email"];

describe("a lock held past the statement timeout", () => {
  it("makes the stage wait, and burns no lead's tries", async () => {
    await using mesh = await startMesh({
      services: [...services, "services/email/email.service.ts"],
      env: { LEADS_STATEMENT_TIMEOUT_MS: "300", LEADS_PROBE_MIN_MS: "100", LEADS_PROBE_MAX_MS: "400" },
    });
    const knex = openDatabase({ ...mesh.settings, databasePool: 1, statementTimeoutMs: 60_000 });
    try {
      const holder = await knex.transaction();
      await holder.raw("lock table leads in access exclusive mode");
      const leads = someLeads(30).map((lead, n) => ({
        ...lead,
        fields: { name: `Number ${n}`, phone: `+1312555${1000 + n}` },
      }));
      await acceptLive(mesh, leads);
      const inOutage = async () => (await mesh.broker.call<StageState, object>("dedupe.state", {})).state === "outage";
      await eventually("the stage says that it waits", inOutage);
      // Several times the timeout, and several looks.
      const since = Date.now();
      await eventually("it has waited", async () => Date.now() - since > 1_500 && (await inOutage()));
      await holder.rollback();
      const ended = async () => Number((await knex("leads").where({ state: "completed" }).count("* as n"))[0]!["n"]);
      await eventually("every lead ended", async () => (await ended()) === leads.length);
      const rows = await knex("leads").select("timeline");
      const timelines = rows.map(({ timeline }) => entriesOf(timeline));
      for (const timeline of timelines) assert.ok(timeline.every(({ attempt }) => attempt === undefined));
      assert.equal((await deadLetters(mesh)).length, 0);
      assert.deepEqual(
        timelines[0]!.map(({ stage }) => stage),
        names,
      );
    } finally {
      await knex.destroy();
    }
  });
});

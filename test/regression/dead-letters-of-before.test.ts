import assert from "node:assert/strict";
import { bury } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { aLead, passed } from "../support/leads.ts";
import { startMesh } from "../support/mesh.ts";
import { testPlace } from "../support/servers.ts";

describe("dead letters of before there was an index", function () {
  this.timeout(60_000);
  const services = ["services/leads/leads.service.ts"];

  it("come into it when the record starts, and are not filed a second time after that", async () => {
    await using place = await testPlace();
    const leads = [1, 2, 3].map(() => passed(aLead(), "enrich", "dedupe"));
    {
      await using mesh = await startMesh({ services, place });
      await bury(mesh, leads);
      // As the migration leaves it: the letters stand in the stream, and were read long ago.
      await mesh.resources.databases.of("").raw("truncate dead_letters, dead_letter_counts");
    }
    for (const _start of ["the first", "the second"]) {
      await using mesh = await startMesh({ services, place });
      const knex = mesh.resources.databases.of("");
      await eventually("all are in the index", async () => (await knex("dead_letters")).length === leads.length, {
        withinMs: 15_000,
      });
      assert.deepEqual(await knex("dead_letter_counts").select("open"), [{ open: "3" }]);
      const states = await knex("leads").distinct("state");
      assert.deepEqual(states, [{ state: "dead" }]);
    }
  });
});

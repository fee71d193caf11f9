import assert from "node:assert/strict";
import { buried } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";

/**
 * The counts of dead letters and the oldest of them are two statements. When the last letter was closed between the two
 * there was an oldest and no count, and the page, which reads them anew exactly when letters are closed, broke on it: it
 * told in which stage most of them are.
 */
describe("the counts of dead letters, asked for while the last one is closed", () => {
  it("name no oldest where none is counted", async () => {
    await using mesh = await startMesh({
      services: ["services/leads/leads.service.ts", "services/dead-letters/dead-letters.service.ts"],
    });
    await buried(mesh, "acme");
    const knex = mesh.resources.databases.of("acme");
    const counts = () => mesh.broker.call<any, object>("dead-letters.counts", { tenant: "*" });
    assert.deepEqual([(await counts()).total, (await counts()).oldest.stage], [1, "score"]);

    // As a job closes it; whoever counts waits for that, whoever looks for the oldest has seen it before.
    const closing = await knex.transaction();
    await closing.raw("lock table dead_letter_counts in access exclusive mode");
    const seen = Promise.withResolvers<void>();
    const hear = (rows: unknown, { sql }: { sql: string }) => {
      if (sql.includes("from dead_letters d") && (rows as { rows: unknown[] }).rows.length === 1) seen.resolve();
    };
    knex.on("query-response", hear);
    const asked = counts();
    await seen.promise;
    knex.removeListener("query-response", hear);
    await eventually("the other statement waits", async () => {
      const { rows } = await closing.raw(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
           and query like '%dead_letter_counts%'`,
      );
      return rows.length > 0;
    });
    await closing("dead_letters").update({ state: "discarded", closed_at: new Date() });
    await closing("dead_letter_counts").update({ open: 0 });
    await closing.commit();
    assert.deepEqual(await asked, { total: 0, items: [] });
  });
});

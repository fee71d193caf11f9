import assert from "node:assert/strict";
import { Databases } from "../../mixins/knex.ts";
import { listOperations } from "../../services/leads/operations.sql.ts";
import { testPlace } from "../support/servers.ts";

/** `at` in an `order by` is the column of the answer, where there is one of that name: all of the log was sorted for a page of it. */
describe("a page of the operation log", () => {
  for (const tenant of [undefined, "acme"])
    it(`is read in the order of an index: ${tenant ?? "of all tenants"}`, async () => {
      await using place = await testPlace();
      const databases = new Databases(place.settings);
      try {
        const knex = databases.of("acme");
        await knex.raw(
          `insert into operations (operation_id, tenant, at, by, what, target)
           select gen_random_uuid(), 'acme', to_timestamp(n), 'joe', 'stage.pause', 'score' from generate_series(1, 1000) n`,
        );
        const asked: { sql: string; bindings: readonly string[] }[] = [];
        knex.on("query", (query) => asked.push(query));
        const page = await listOperations(
          knex,
          { tenant, after: { at: 900_000, id: "ffffffff-ffff-ffff-ffff-ffffffffffff" } },
          10,
        );
        knex.removeAllListeners("query");
        assert.deepEqual(
          page.map(({ at }) => at),
          Array.from({ length: 10 }, (_, n) => (900 - n) * 1_000),
        );
        const [{ sql, bindings }] = asked as [(typeof asked)[0]];
        const { rows } = await knex.raw(`explain ${sql.replace(/\$\d+/g, "?")}`, bindings);
        const plan = rows.map((row: { "QUERY PLAN": string }) => row["QUERY PLAN"]).join("\n");
        assert.match(plan, tenant ? /operations_of_tenant/ : /operations_by_time/);
        assert.doesNotMatch(plan, /Sort|Seq Scan/);
      } finally {
        await databases.close();
      }
    });
});

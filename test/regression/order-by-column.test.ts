import assert from "node:assert/strict";
import type { Knex } from "knex";
import { Databases } from "../../mixins/knex.ts";
import { mergedLetters } from "../../services/leads/dead-letters.sql.ts";
import { listOperations } from "../../services/leads/operations.sql.ts";
import { type TestPlace, testPlace } from "../support/servers.ts";

/** A bare name in an `order by` is a column of the answer, where it has one of that name: all that there is was sorted for a page. */
describe("a page is read in the order of an index:", () => {
  let place: TestPlace;
  let databases: Databases;
  let knex: Knex;
  before(async () => {
    place = await testPlace();
    databases = new Databases(place.settings);
    knex = databases.of("acme");
    await knex.raw(
      `insert into operations (operation_id, tenant, at, by, what, target)
       select gen_random_uuid(), 'acme', to_timestamp(n), 'joe', 'stage.pause', 'score' from generate_series(1, 1000) n`,
    );
  });
  after(async () => {
    await databases?.close();
    await place?.[Symbol.asyncDispose]();
  });

  const after900 = { at: 900_000, id: "ffffffff-ffff-ffff-ffff-ffffffffffff" };
  const newest = Array.from({ length: 10 }, (_, n) => (900 - n) * 1_000);
  const at = (operations: { at: number }[]) => operations.map((operation) => operation.at);
  for (const [what, index, read, expected] of [
    [
      "the operations of all tenants",
      "operations_by_time",
      () => listOperations(knex, { after: after900 }, 10).then(at),
      newest,
    ],
    [
      "a tenant's operations",
      "operations_of_tenant",
      () => listOperations(knex, { tenant: "acme", after: after900 }, 10).then(at),
      newest,
    ],
    ["letters of merged leads", "dead_letters_merged", () => mergedLetters(knex, 10), []],
  ] as const)
    it(what, async () => {
      const asked: { sql: string; bindings: readonly string[] }[] = [];
      knex.on("query", (query) => asked.push(query));
      const page = await read();
      knex.removeAllListeners("query");
      assert.deepEqual(page, expected);
      const [{ sql, bindings }] = asked as [(typeof asked)[0]];
      const { rows } = await knex.raw(`explain ${sql.replace(/\$\d+/g, "?")}`, bindings);
      const plan = rows.map((row: { "QUERY PLAN": string }) => row["QUERY PLAN"]).join("\n");
      assert.ok(plan.includes(index), plan);
      assert.doesNotMatch(plan, /Sort|Seq Scan/);
    });
});

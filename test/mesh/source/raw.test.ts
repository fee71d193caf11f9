import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { Sweeper } from "../../../mixins/sweeper.ts";
import { keepRaw, type RawAnswer, sweepRaw } from "../../../services/leads/raw.sql.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";

describe("what providers told of listings", () => {
  let mesh: TestMesh;
  let knex: Knex;
  before(async function () {
    this.timeout(60_000);
    mesh = await startMesh({ services: [] });
    knex = mesh.resources.databases.of("acme");
  });
  beforeEach(() => knex("listing_raw").del());
  after(() => mesh?.[Symbol.asyncDispose]());

  const told = (sourceId: string, answer: object = { name: sourceId }, tenant = "acme"): RawAnswer => ({
    tenant,
    source: "yelp",
    sourceId,
    leadId: randomUUID(),
    marks: [],
    answer,
  });
  const kept = async () => (await knex("listing_raw").orderBy(["tenant", "source_id"])).map((row) => row.answer);
  const age = (sourceId: string, days: number) =>
    knex("listing_raw")
      .where({ source_id: sourceId })
      .update({ received_at: knex.raw("now() - make_interval(days => ?)", [days]) });

  it("is kept as it came, the last telling of each listing, by tenant", async () => {
    await keepRaw(knex, [
      told("a"),
      told("b"),
      told("a", { name: "a, later" }),
      told("a", { name: "zenith's" }, "zenith"),
    ]);
    await keepRaw(knex, [told("b", { name: "b, the day after\u0000" })]);
    await keepRaw(knex, []);
    assert.deepEqual(await kept(), [{ name: "a, later" }, { name: "b, the day after" }, { name: "zenith's" }]);
  });

  it("is swept when its days are over, in bounded portions, and not before", async () => {
    await keepRaw(
      knex,
      ["a", "b", "c", "d"].map((id) => told(id)),
    );
    for (const id of ["a", "b", "c"]) await age(id, 91);
    await age("d", 89);
    assert.equal(await sweepRaw(knex, 90, 2), 2);
    assert.equal(await sweepRaw(knex, 90, 2), 1);
    assert.equal(await sweepRaw(knex, 90, 2), 0);
    assert.deepEqual(await kept(), [{ name: "d" }]);
  });

  it("is swept by any number of instances, each row once", async () => {
    await keepRaw(
      knex,
      Array.from({ length: 2_500 }, (_, n) => told(`n${n}`)),
    );
    await knex("listing_raw").update({ received_at: new Date(0) });
    await keepRaw(knex, [told("fresh")]);
    const { databases } = mesh.resources;
    const onFault = (error: Error) => assert.fail(error);
    const sweepers = Array.from(
      { length: 3 },
      () => new Sweeper({ databases, sweeps: [(on, limit) => sweepRaw(on, 90, limit)], everyMs: 60_000, onFault }),
    );
    const gone = await Promise.all(sweepers.map((one) => one.look()));
    assert.equal(
      gone.reduce((sum, n) => sum + n, 0),
      2_500,
    );
    assert.deepEqual(await kept(), [{ name: "fresh" }]);
  });

  it("is found by its age through an index, however much is kept", async () => {
    await knex.raw(
      `insert into listing_raw (tenant, source, source_id, answer, received_at)
       select 'acme', 'yelp', 'n' || n, '{}', now() - make_interval(mins => n) from generate_series(1, 20000) n`,
    );
    await knex.raw("analyze listing_raw");
    const { rows } = await knex.raw(
      "explain select source_id from listing_raw where received_at < now() - interval '13 days' order by received_at limit 1000",
    );
    const plan = rows.map((row: { "QUERY PLAN": string }) => row["QUERY PLAN"]).join("\n");
    assert.match(plan, /Index Scan/);
    assert.doesNotMatch(plan, /Seq Scan/);
  });

  it("is not kept of a lead that was erased", async () => {
    const [joe, ann] = [told("joe"), told("ann")];
    await knex("leads").insert({
      tenant: "acme",
      lead_id: joe.leadId,
      revision: 1,
      step: 0,
      state: "erased",
      stage: "dedupe",
      source: "yelp",
      source_id: "joe",
      trust: 70,
      tier: 1,
      name: "",
      fields: {},
      accepted_at: new Date(),
    });
    await keepRaw(knex, [joe, ann]);
    assert.deepEqual(await kept(), [{ name: "ann" }]);
  });
});

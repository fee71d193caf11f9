import assert from "node:assert/strict";
import type { Knex } from "knex";
import { rekeyLeads } from "../../../services/dedupe/rekey.sql.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { down, up } from "../../../services/leads/migrations/050-narrow-keys.ts";
import { business, contents, dedupePlace, type Place } from "./place.ts";

describe("dedupe: a record with keys of an older kind", () => {
  let place: Place;
  let knex: Knex;
  beforeEach(async () => {
    place = await dedupePlace();
    knex = place.knex;
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const bakery = (n: number) => ({ name: `Bakery ${n}`, phone: `+1312${5_000_000 + n}` });
  /** Takes the record back to where it stood before, with one key of two leads each. */
  const age = async (leads: readonly Lead[]) => {
    await down(knex);
    for (let at = 0; at < leads.length; at += 2) {
      await knex.raw("insert into lead_keys values (?, 10, gen_random_uuid(), ?, ?::uuid[])", [
        leads[at]!.tenant,
        leads[at]!.leadId,
        `{${leads[at + 1]!.leadId}}`,
      ]);
    }
    await up(knex);
  };

  it("has all its leads found again once they are given theirs, by several at once", async () => {
    const leads = Array.from({ length: 1_200 }, (_, n) => business(bakery(n)));
    await place.settle(leads);
    const before = await contents(knex);
    await age(leads);
    const stranger = business(bakery(0));
    assert.equal((await place.settle([stranger])).get(stranger.leadId)!.kind, "live", "until then nobody is found");
    await knex("lead_keys").delete();
    await knex("leads").where({ lead_id: stranger.leadId }).delete();

    const seen = await Promise.all([rekeyLeads(knex), rekeyLeads(place.another()), rekeyLeads(knex)]);
    assert.equal(
      seen.reduce((sum, n) => sum + n, 0),
      leads.length,
    );
    assert.deepEqual(await contents(knex), before);
    const double = business(bakery(777));
    assert.deepEqual((await place.settle([double])).get(double.leadId), { kind: "merged", into: leads[777]!.leadId });
    assert.equal(await rekeyLeads(knex), 0);
  });

  it("gives none to a lead that is erased, nor twice to one that was told again meanwhile", async () => {
    const [gone, told] = [business(bakery(1)), business(bakery(2))];
    await place.settle([gone, told]);
    await age([gone, told]);
    await knex("leads").where({ lead_id: gone.leadId }).update({ state: "erased", fields: {} });
    await place.settle([{ ...told, revision: told.revision + 1 }]);
    const before = await contents(knex);
    assert.equal(await rekeyLeads(knex), 2);
    assert.deepEqual(await contents(knex), before);
    assert.deepEqual(await knex("lead_keys").distinct().pluck("lead_id"), [told.leadId]);
  });
});

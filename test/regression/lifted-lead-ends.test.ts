import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { openDatabase, transaction } from "../../mixins/knex.ts";
import { begin } from "../../services/leads/erase.sql.ts";
import { insertLeads, writeDead, writeEnds } from "../../services/leads/record.ts";
import { rowOfDead } from "../../services/leads/row.ts";
import { lift } from "../../services/leads/tombstones.sql.ts";
import { aLead } from "../support/leads.ts";
import { type TestPlace, testPlace } from "../support/servers.ts";

describe("a lead whose erasure was lifted and that is told again", function () {
  this.timeout(60_000);
  let place: TestPlace;
  let knex: Knex;
  before(async () => {
    place = await testPlace();
    knex = openDatabase(place.settings);
  });
  after(async () => {
    await knex?.destroy();
    await place?.[Symbol.asyncDispose]();
  });
  const rowOf = (leadId: string) => knex("leads").where({ lead_id: leadId }).first();

  /** On record, then erased. `retold` is the same person, told after that. */
  async function erased() {
    const lead = aLead({ fields: { name: "Joe's", email: `joe@${randomUUID()}.example` } });
    const { leadId, tenant } = lead;
    await transaction(knex, (trx) => insertLeads(trx, "dedupe", [lead]));
    const erasureId = randomUUID();
    await transaction(knex, (trx) => begin(trx, { tenant, leadId, erasureId, leaseMs: 1_000, known: false }));
    const retold = { ...lead, revision: Date.now() + 60_000 };
    return { lead, retold, lifted: () => finishAndLift(tenant, erasureId) };
  }
  async function finishAndLift(tenant: string, erasureId: string) {
    await knex("erasures").where({ erasure_id: erasureId }).update({ finished_at: knex.fn.now() });
    assert.ok(Array.isArray(await transaction(knex, (trx) => lift(trx, tenant, erasureId))));
  }

  it("is on record as what a stage before its arrival makes of it", async () => {
    const { lead, retold, lifted } = await erased();
    const end = (told: typeof lead) =>
      writeEnds(knex, [{ lead: told, stage: "enrich", state: "rejected", reason: "closed" }]);
    await end(retold);
    assert.equal((await rowOf(lead.leadId)).state, "erased", "the tombstone stands");
    assert.equal((await rowOf(lead.leadId)).name, "");
    await lifted();
    await end(lead);
    assert.equal((await rowOf(lead.leadId)).state, "erased", "it was told before the erasure");
    await end(retold);
    const row = await rowOf(lead.leadId);
    assert.deepEqual([row.state, row.reason, row.name, row.email], ["rejected", "closed", "Joe's", lead.fields.email]);
  });

  it("is dead with its dead letter, and can be redriven", async () => {
    const { lead, retold, lifted } = await erased();
    await writeDead(knex, [rowOfDead(retold, "enrich", "BROKEN")!]);
    assert.equal((await rowOf(lead.leadId)).state, "erased", "the tombstone stands");
    assert.equal((await rowOf(lead.leadId)).name, "");
    await lifted();
    await writeDead(knex, [rowOfDead(retold, "enrich", "BROKEN")!]);
    const row = await rowOf(lead.leadId);
    assert.deepEqual([row.state, row.reason, row.name, row.email], ["dead", "BROKEN", "Joe's", lead.fields.email]);
  });
});

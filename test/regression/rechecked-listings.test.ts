import assert from "node:assert/strict";
import type { Knex } from "knex";
import { openDatabase, transaction } from "../../mixins/knex.ts";
import { eraseListings, eraseRaw, keepRaw } from "../../services/leads/raw.sql.ts";
import { insertLeads } from "../../services/leads/record.ts";
import { aLead } from "../support/leads.ts";
import { testPlace } from "../support/servers.ts";

/**
 * A delete locks each row as its plan comes to it. That of an erasure deadlocked with who was told of the same listings, and
 * looked again at rows that another had changed, from within a statement that chooses parts of a table (mixins/knex.ts).
 */
describe("listings that a provider tells of again and again", () => {
  it("are erased with their leads, and PostgreSQL lives on", async function () {
    this.timeout(120_000);
    await using place = await testPlace();
    const knex = openDatabase({ ...place.settings, databasePool: 4 }, { byIndex: true });
    const another = openDatabase({ ...place.settings, databasePool: 4 }, { byIndex: true });
    const tenant = "acme";
    const leads = Array.from({ length: 24 }, () => aLead({ tenant, source: "yelp" }));
    const leadIds = leads.map(({ leadId }) => leadId);
    const listings = leadIds.map((sourceId) => ({ source: "yelp", sourceId }));
    const tell = () =>
      keepRaw(
        another,
        leadIds.map((leadId) => ({ tenant, source: "yelp", sourceId: leadId, leadId, marks: [], answer: {} })),
      );
    let isOver = false;
    const telling = async () => {
      while (!isOver) await tell();
    };
    try {
      await transaction(knex, (trx) => insertLeads(trx, "dedupe", leads));
      await tell();
      const tellers = [telling(), telling()];
      try {
        for (let n = 0; n < 150; n++)
          for (const erase of [
            (trx: Knex) => eraseListings(trx, { tenant, leadIds }),
            (trx: Knex) => eraseRaw(trx, tenant, listings),
          ]) {
            // Undone, so that there is something to erase the next time.
            const trx = await knex.transaction();
            const erased = await erase(trx).finally(() => trx.rollback());
            assert.equal(erased, leads.length);
          }
      } finally {
        isOver = true;
        await Promise.all(tellers);
      }
      const elsewhere = [{ source: "places", sourceId: leadIds[0]! }];
      assert.equal(await transaction(knex, (trx) => eraseRaw(trx, tenant, elsewhere)), 0, "another source's");
      assert.equal(await transaction(knex, (trx) => eraseRaw(trx, "zenith", listings)), 0, "another tenant's");
      assert.equal(await transaction(knex, (trx) => eraseRaw(trx, tenant, listings)), leads.length);
    } finally {
      await Promise.all([knex.destroy(), another.destroy()]);
    }
  });
});

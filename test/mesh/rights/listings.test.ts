import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { transaction } from "../../../mixins/knex.ts";
import { begin, eraseRecord } from "../../../services/leads/erase.sql.ts";
import { notePass } from "../../../services/leads/erasures.sql.ts";
import { business, dedupePlace } from "../dedupe/place.ts";

describe("erasing what a provider told of a listing", () => {
  it("finds what is written after the first pass has emptied the row, and forgets the keys when it is done", async () => {
    await using place = await dedupePlace();
    const { knex } = place;
    const lead = business({ name: "Rosebud" }, { source: "yelp", sourceId: "rosebud-chicago" });
    const other = { tenant: "acme", source: "yelp", source_id: "tulip-chicago", answer: "{}" };
    const raw = { ...other, source_id: "rosebud-chicago" };
    await place.settle([lead]);
    await knex("listing_raw").insert([raw, other, { ...raw, tenant: "zenith" }]);
    const asked = { tenant: "acme", leadId: lead.leadId, erasureId: randomUUID(), leaseMs: 60_000, known: false };
    const erasure = await transaction(knex, (trx) => begin(trx, asked));
    assert.equal(erasure!.did["listings"], 1);

    // Its writer looked before the erasure had begun.
    await knex("listing_raw").insert(raw);
    assert.equal((await transaction(knex, (trx) => eraseRecord(trx, erasure!)))["lateListings"], 1);
    assert.deepEqual(
      (await knex("listing_raw").orderBy("source_id")).map((row) => [row.tenant, row.source_id]),
      [
        ["zenith", "rosebud-chicago"],
        ["acme", "tulip-chicago"],
      ],
    );
    await notePass(knex, erasure!, { did: {}, isLast: true, nextInMs: 60_000 });
    assert.deepEqual((await knex("erasures").first()).listings, [], "nothing is kept of them");
  });
});

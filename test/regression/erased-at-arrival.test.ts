import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { transaction } from "../../mixins/knex.ts";
import { arrive } from "../../services/dedupe/arrive.sql.ts";
import { begin } from "../../services/leads/erase.sql.ts";
import { business, dedupePlace } from "../mesh/dedupe/place.ts";
import { eventually } from "../support/eventually.ts";

/**
 * Of a lead that is not on record an erasure makes an empty row. Where the lead's first arrival committed just then, it was
 * emptied after its keys had been looked for and its contacts noted: they stayed, and no tombstone knew them.
 */
describe("an erasure that meets the lead's first arrival", () => {
  it("takes its keys away, and knows its contacts from then on", async () => {
    await using place = await dedupePlace();
    const { knex } = place;
    const lead = business({ name: "Rosebud", phone: "+13125550142", email: "me@rosebud.example" });
    const { tenant, leadId } = lead;
    const arriving = await place.another().transaction();
    await arrive(arriving, "dedupe", [lead]);
    const asked = { tenant, leadId, erasureId: randomUUID(), leaseMs: 60_000, known: true };
    const begun = transaction(knex, (trx) => begin(trx, asked));
    await eventually("the erasure waits for the arrival", async () => {
      const { rows } = await knex.raw(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
           and query like 'insert into leads%'`,
      );
      return rows.length > 0;
    });
    await arriving.commit();
    assert.deepEqual((await begun)!.leadIds, [leadId]);
    assert.deepEqual(await knex("lead_keys"), []);
    const { state, name } = await knex("leads").first();
    assert.deepEqual([state, name], ["erased", ""]);
    const { rows } = await knex.raw("select lead_marks(?, ?::uuid, ?::jsonb) as marks", [
      tenant,
      leadId,
      JSON.stringify(lead.fields),
    ]);
    const marks = await knex("tombstones").pluck("mark");
    assert.deepEqual(marks.sort(), rows[0].marks.sort());
  });
});

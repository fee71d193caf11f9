import assert from "node:assert/strict";
import type { Knex } from "knex";
import type { Lead } from "../../../services/leads/lead.ts";
import { writeEnds } from "../../../services/leads/record.ts";
import { passed } from "../../support/leads.ts";
import { business, contents, dedupePlace, type Place, rowOf } from "./place.ts";

const phone = "+13125550142";
const street = { street: "27 W Washington St", zip: "60602" };

describe("dedupe: a batch is settled", () => {
  let place: Place;
  let knex: Knex;
  beforeEach(async () => {
    place = await dedupePlace();
    knex = place.knex;
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const mergeCount = async () => Number((await knex("merges").count("* as n"))[0]!["n"]);
  const complete = (lead: Lead) =>
    writeEnds(knex, [{ lead: passed(lead, "dedupe", "score", "email"), stage: "email", state: "completed" }]);

  it("lets leads without a double pass, on record and in progress", async () => {
    const leads = [business({ phone }), business({ email: "a@bakery.example" }), business({ name: "Keyless" })];
    const settled = await place.settle(leads);
    for (const { leadId, fields } of leads) {
      assert.deepEqual(settled.get(leadId), { kind: "live", fields });
      const row = await rowOf(knex, leadId);
      assert.deepEqual([row.state, row.merged_into, row.fields, row.provenance], ["in_progress", null, fields, {}]);
    }
    assert.equal(await mergeCount(), 0);
  });

  const contacts = [
    ["phone", { phone }],
    ["e-mail", { email: "anna@bakery.example" }],
    ["domain", { website: "https://bakery.example/", domain: "bakery.example" }],
  ] as const;
  for (const [contact, field] of contacts) {
    it(`merges leads of one ${contact} when name or address agrees, and not otherwise`, async () => {
      const first = business({ ...field, name: "The Rosebud, Inc.", address: street });
      const sameAddress = business({ ...field, name: "Bread", address: { street: "27 Washington", zip: "60602" } });
      const chain = business({ ...field, name: "ROSEBUD", address: { street: "1 Elm St", zip: "60602" } });
      const neither = business({ ...field, name: "Cakes", address: { street: "9 Oak Ave", zip: "60602" } });
      const nowhere = { ...field, name: "Tulip" };
      const [one, two] = [business(nowhere, { revision: 1 }), business(nowhere, { revision: 2 })];
      await place.settle([first, one]);
      const settled = await place.settle([two, sameAddress, chain, neither]);
      assert.deepEqual(settled.get(two.leadId), { kind: "merged", into: one.leadId });
      assert.deepEqual(settled.get(sameAddress.leadId), { kind: "merged", into: first.leadId });
      assert.deepEqual(settled.get(chain.leadId), { kind: "live", fields: chain.fields });
      assert.deepEqual(settled.get(neither.leadId), { kind: "live", fields: neither.fields });
      const row = await rowOf(knex, sameAddress.leadId);
      assert.deepEqual([row.state, row.reason, row.merged_into], ["merged", "duplicate", first.leadId]);
      assert.equal(row.source_id, sameAddress.sourceId, "every source id is kept");
    });
  }

  it("merges on name and address alone, with slips, but not one name at two addresses, nor two at one", async () => {
    const first = business({ name: "Rosebud Bakery", address: street });
    const slips = business({ name: "Rosebudd Bakery LLC", address: { street: "27 West Washingtn", zip: "60602" } });
    const chain = business({ name: "Rosebud Bakery", address: { street: "900 N Clark St", zip: "60602" } });
    const neighbour = business({ name: "Zhao Law Office", address: street, phone: "+13125550188" });
    await place.settle([first]);
    const settled = await place.settle([slips, chain, neighbour]);
    assert.deepEqual(settled.get(slips.leadId), { kind: "merged", into: first.leadId });
    assert.equal(settled.get(chain.leadId)!.kind, "live");
    assert.equal(settled.get(neighbour.leadId)!.kind, "live");
  });

  it("keeps tenants apart", async () => {
    const fields = { phone, name: "Bakery" };
    const ours = business(fields);
    const theirs = business(fields, { tenant: "other", sourceId: ours.sourceId });
    const settled = await place.settle([ours, theirs]);
    assert.deepEqual(
      [...settled.values()].map((s) => s.kind),
      ["live", "live"],
    );
  });

  it("takes no shared domain for a key", async () => {
    const site = { name: "Bakery", website: "https://www.facebook.com/bakery", domain: "facebook.com" };
    const settled = await place.settle([business(site), business(site)]);
    assert.deepEqual(
      [...settled.values()].map((s) => s.kind),
      ["live", "live"],
    );
  });

  it("merges doubles of one batch into the one accepted first, wherever it stands in the batch", async () => {
    const older = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const newer = business({ phone, name: "Bakery", email: "a@bakery.example" }, { revision: 2_000 });
    const settled = await place.settle([newer, older]);
    assert.deepEqual(settled.get(newer.leadId), { kind: "merged", into: older.leadId });
    const fields = { ...older.fields, email: "a@bakery.example" };
    assert.deepEqual(settled.get(older.leadId), { kind: "live", fields });
    const row = await rowOf(knex, older.leadId);
    assert.deepEqual([row.fields, row["email"]], [fields, "a@bakery.example"]);
    assert.equal(row.provenance["email"]!.leadId, newer.leadId);
    assert.equal(row.provenance["phone"]!.leadId, newer.leadId, "of equals the newer is named");
  });

  it("lets the lead stay that is on record, even when an older one comes", async () => {
    const known = business({ phone, name: "Bakery" }, { revision: 2_000 });
    const late = business({ phone, name: "Bakery" }, { revision: 1_000 });
    await place.settle([known]);
    const settled = await place.settle([late]);
    assert.deepEqual(settled.get(late.leadId), { kind: "merged", into: known.leadId });
  });

  it("joins two clusters when a lead ties both, and points their members at the one that stays", async () => {
    const a = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const a2 = business({ phone, name: "Bakery" });
    const b = business({ email: "b@bakery.example", name: "Bakery" }, { revision: 2_000 });
    const b2 = business({ email: "b@bakery.example", name: "Bakery" });
    await place.settle([a]);
    await place.settle([b]);
    await place.settle([a2, b2]);
    const bridge = business({ phone, email: "b@bakery.example", name: "Bakery" });
    assert.deepEqual((await place.settle([bridge])).get(bridge.leadId), { kind: "merged", into: a.leadId });
    for (const { leadId } of [a2, b, b2, bridge]) assert.equal((await rowOf(knex, leadId)).merged_into, a.leadId);
    assert.equal((await rowOf(knex, a.leadId)).fields.email, "b@bakery.example");
    const merge = await knex("merges").where({ loser: b.leadId }).first();
    assert.deepEqual(merge.loser_before.children, [b2.leadId]);
    assert.deepEqual(merge.evidence, { agree: ["email_same", "name_same"] });
  });

  it("joins two clusters through two leads of the batch that are doubles of each other", async () => {
    const a = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const b = business({ email: "b@bakery.example", name: "Bakery" }, { revision: 2_000 });
    const b2 = business({ email: "b@bakery.example", name: "Bakery" });
    await place.settle([a, b, b2]);
    const site = { website: "https://bakery.example/", domain: "bakery.example", name: "Bakery" };
    const x = business({ phone, ...site });
    const y = business({ email: "b@bakery.example", ...site });
    await place.settle([x, y]);
    for (const { leadId } of [b, b2, x, y]) assert.equal((await rowOf(knex, leadId)).merged_into, a.leadId);
  });

  it("lets a completed lead stay, though another that it is tied to was accepted before it", async () => {
    const old = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const written = business({ email: "b@bakery.example", name: "Bakery" }, { revision: 2_000 });
    await place.settle([old, written]);
    await complete(written);
    const bridge = business({ phone, email: "b@bakery.example", name: "Bakery" });
    await place.settle([bridge]);
    assert.equal((await rowOf(knex, old.leadId)).merged_into, written.leadId);
    assert.equal((await rowOf(knex, written.leadId)).state, "completed");
  });

  it("moves a completed lead that loses to merged, and its late end does not bring it back", async () => {
    const a = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const b = business({ email: "b@bakery.example", name: "Bakery" }, { revision: 2_000 });
    await place.settle([a, b]);
    await complete(a);
    await complete(b);
    await place.settle([business({ phone, email: "b@bakery.example", name: "Bakery" })]);
    const late = passed(b, "dedupe", "score", "mockup", "email", "after");
    await writeEnds(knex, [{ lead: late, stage: "email", state: "completed" }]);
    const row = await rowOf(knex, b.leadId);
    assert.deepEqual([row.state, row.merged_into], ["merged", a.leadId]);
  });

  it("changes nothing when a batch comes again, and answers the same", async () => {
    const batch = [
      business({ phone, name: "Bakery", categories: ["bread"] }, { revision: 1_000 }),
      business({ phone, name: "Bakery", email: "a@bakery.example", categories: ["cake"] }, { trust: "google" }),
      business({ email: "a@bakery.example", name: "Bakery" }),
      business({ name: "Alone" }),
    ];
    const first = await place.settle(batch);
    const before = await contents(knex);
    assert.equal(await mergeCount(), 2);
    for (let n = 0; n < 3; n++) {
      assert.deepEqual(await place.settle(batch), first);
      assert.deepEqual(await contents(knex), before);
    }
    for (const lead of batch) assert.deepEqual((await place.settle([lead])).get(lead.leadId), first.get(lead.leadId));
    assert.deepEqual(await contents(knex), before);
  });

  it("takes the last of several tellings of one lead in a batch", async () => {
    const told = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const later = { ...told, revision: 2_000, fields: { ...told.fields, phone: "+13125550143" } };
    const settled = await place.settle([later, told]);
    assert.deepEqual(settled.get(told.leadId), { kind: "live", fields: later.fields });
    assert.equal((await rowOf(knex, told.leadId))["phone"], "+13125550143");
  });

  it("takes a later telling of a live lead whole, but keeps what others knew better", async () => {
    const lead = business({ phone, name: "Bakery", vertical: "food", foundedYear: 1990 }, { revision: 1_000 });
    const double = business({ phone, name: "Bakery", email: "a@bakery.example" }, { trust: "google" });
    await place.settle([lead, double]);
    const later = {
      ...lead,
      revision: 2_000,
      fields: { name: "Bakery", phone, vertical: "bakery", email: "x@y.example" },
    };
    const settled = await place.settle([later]);
    const fields = { name: "Bakery", phone, vertical: "bakery", email: "a@bakery.example" };
    assert.deepEqual(settled.get(lead.leadId), { kind: "live", fields });
    assert.deepEqual((await rowOf(knex, lead.leadId)).fields, fields);
    // The contacts of older tellings stay evidence.
    const byOld = business({ phone, name: "Bakery" });
    const moved = { ...lead, revision: 3_000, fields: { name: "Bakery", phone: "+13125550199" } };
    await place.settle([moved]);
    assert.deepEqual((await place.settle([byOld])).get(byOld.leadId), { kind: "merged", into: lead.leadId });
  });

  it("brings a later telling of a merged lead to its winner, with no second merge", async () => {
    const winner = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const loser = business({ phone, name: "Bakery", email: "a@bakery.example" }, { revision: 2_000 });
    await place.settle([winner, loser]);
    const later = {
      ...loser,
      revision: 3_000,
      fields: { ...loser.fields, email: "b@bakery.example", vertical: "food" },
    };
    assert.deepEqual((await place.settle([later])).get(loser.leadId), { kind: "merged", into: winner.leadId });
    const row = await rowOf(knex, winner.leadId);
    assert.deepEqual([row.fields.email, row.fields.vertical], ["b@bakery.example", "food"]);
    assert.equal((await rowOf(knex, loser.leadId)).fields.email, "b@bakery.example");
    assert.equal(await mergeCount(), 1);
    // New contacts of the merged lead tie others to its winner.
    const tied = business({ email: "b@bakery.example", name: "Bakery" });
    assert.deepEqual((await place.settle([tied])).get(tied.leadId), { kind: "merged", into: winner.leadId });
  });

  // One that died before dedupe let it through; others: dead.test.ts.
  for (const state of ["rejected", "dead", "discarded", "erased"]) {
    it(`lets a lead that is ${state} neither win nor lose, and its keys tie those who come after`, async () => {
      const gone = business({ phone, name: "Bakery" });
      await place.settle([gone]);
      await knex("leads").where({ lead_id: gone.leadId }).update({ state });
      const first = business({ phone, name: "Bakery" });
      const second = business({ phone, name: "Bakery" });
      assert.equal((await place.settle([first])).get(first.leadId)!.kind, "live");
      assert.deepEqual((await place.settle([second])).get(second.leadId), { kind: "merged", into: first.leadId });
      assert.equal((await rowOf(knex, gone.leadId)).state, state);
    });
  }

  it("lets doubles of a discarded winner's members meet", async () => {
    const winner = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const member = business({ phone, email: "b@bakery.example", name: "Bakery" });
    await place.settle([winner, member]);
    await knex("leads").where({ lead_id: winner.leadId }).update({ state: "discarded" });
    const x = business({ email: "b@bakery.example", name: "Bakery" });
    const y = business({ email: "b@bakery.example", name: "Bakery" });
    assert.equal((await place.settle([x])).get(x.leadId)!.kind, "live");
    assert.deepEqual((await place.settle([y])).get(y.leadId), { kind: "merged", into: x.leadId });
  });

  it("ends a repeat of an erased lead, and leaves no key of it", async () => {
    const lead = business({ phone, name: "Bakery" });
    await place.settle([lead]);
    await knex("leads").where({ lead_id: lead.leadId }).update({ state: "erased", fields: {}, name: "" });
    await knex("lead_keys").delete();
    await knex.raw(
      "insert into tombstones (tenant, mark, erasure_id) select ?, unnest(lead_marks(?, ?::uuid, ?::jsonb)), gen_random_uuid()",
      [lead.tenant, lead.tenant, lead.leadId, JSON.stringify(lead.fields)],
    );
    for (const repeat of [lead, { ...lead, revision: lead.revision + 1 }])
      assert.deepEqual((await place.settle([repeat])).get(lead.leadId), { kind: "ended", state: "erased" });
    assert.equal(Number((await knex("lead_keys").count("* as n"))[0]!["n"]), 0);
    assert.deepEqual((await rowOf(knex, lead.leadId)).fields, {});
  });

  it("knows a lead again whose keys are gone", async () => {
    const lead = business({ phone, name: "Bakery" });
    await place.settle([lead]);
    await knex("lead_keys").delete();
    assert.deepEqual((await place.settle([lead])).get(lead.leadId), { kind: "live", fields: lead.fields });
  });
});

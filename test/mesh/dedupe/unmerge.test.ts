import assert from "node:assert/strict";
import type { Knex } from "knex";
import { transaction } from "../../../mixins/knex.ts";
import { arrive } from "../../../services/dedupe/arrive.sql.ts";
import { judge } from "../../../services/dedupe/judge.sql.ts";
import { join } from "../../../services/dedupe/settle.sql.ts";
import { type Unmerged, unmerge } from "../../../services/dedupe/unmerge.sql.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { writeEnds } from "../../../services/leads/record.ts";
import { eventually } from "../../support/eventually.ts";
import { passed } from "../../support/leads.ts";
import { business, contents, dedupePlace, type Place, rowOf } from "./place.ts";

const phone = "+13125550142";
const street = { street: "27 W Washington St", zip: "60602" };

describe("dedupe: a merge is undone", () => {
  let place: Place;
  let knex: Knex;
  beforeEach(async () => {
    place = await dedupePlace();
    knex = place.knex;
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const undo = ({ leadId }: Lead, on = knex): Promise<Unmerged> =>
    transaction(on, (trx) => unmerge(trx, { tenant: "acme", leadId, now: 5_000 }));
  const complete = (lead: Lead) =>
    writeEnds(knex, [{ lead: passed(lead, "dedupe", "score", "email"), stage: "email", state: "completed" }]);
  /** A row, but for what an unmerge adds: the line of the timeline, and the step that it takes. */
  const image = async ({ leadId }: Lead) => {
    const { timeline, step, ...row } = await rowOf(knex, leadId);
    const entries = (timeline as string[]).filter((line) => !line.endsWith(" unmerge"));
    return { ...row, timeline: entries, step: (step as number) - ((timeline as object[]).length - entries.length) };
  };
  const resumes = async () => (await knex("resumes").orderBy("lead_id")).map((row) => row.lead_id);

  it("restores both leads as they were, to the byte, and lets the lost one go on", async () => {
    const winner = business(
      { phone, name: "Bakery", categories: ["bread"] },
      { revision: 1_000, facts: { site: { status: "ok" } } },
    );
    const loser = business(
      { phone, name: "Bakery", email: "a@bakery.example", categories: ["cake"] },
      { revision: 2_000, trust: "google", facts: { site: { status: "unreachable" } } },
    );
    await place.settle([winner]);
    const before = await image(winner);
    await place.settle([loser]);
    assert.equal((await rowOf(knex, winner.leadId)).fields.email, "a@bakery.example");
    assert.deepEqual(await undo(loser), { kind: "done", from: winner.leadId, state: "in_progress" });
    assert.deepEqual(await image(winner), before);
    const row = await rowOf(knex, loser.leadId);
    assert.deepEqual([row.state, row.reason, row.merged_into, row.fields], ["in_progress", null, null, loser.fields]);
    assert.deepEqual([row.provenance, row["own"], row["facts"]], [{}, null, loser.facts]);
    assert.deepEqual(await resumes(), [loser.leadId]);
  });

  it("is remembered: neither is merged again by itself, and a repeat changes nothing", async () => {
    const [winner, loser] = [business({ phone, name: "Bakery" }), business({ phone, name: "Bakery" })];
    const lost = (await place.settle([winner, loser])).get(loser.leadId)!.kind === "merged" ? loser : winner;
    await undo(lost);
    const after = await contents(knex);
    assert.equal((await undo(lost)).kind, "done");
    assert.deepEqual(await contents(knex), after);
    for (const lead of [winner, loser, winner]) {
      const again = { ...lead, revision: lead.revision + 1_000 };
      assert.equal((await place.settle([again])).get(lead.leadId)!.kind, "live");
    }
    assert.equal((await knex("reviews").where({ state: "open" })).length, 0, "nobody is asked");
    const third = business({ phone, name: "Bakery" });
    await place.settle([third]);
    const states = await knex("leads").orderBy("state").pluck("state");
    assert.deepEqual(states, ["in_progress", "in_progress", "merged"], "a third goes with one of them");
  });

  it("brings back a lead that had ended as ended, and publishes nothing of it", async () => {
    const old = business({ email: "a@bakery.example", name: "Bakery", address: street }, { revision: 1_000 });
    const newer = business({ phone, name: "Bakery" }, { revision: 2_000 });
    await place.settle([old, newer]);
    await complete(old);
    await complete(newer);
    const before = [await image(old), await image(newer)];
    const bridge = business({ phone, email: "a@bakery.example", name: "Bakery" }, { revision: 3_000 });
    await place.settle([bridge]);
    assert.equal((await rowOf(knex, newer.leadId)).merged_into, old.leadId);
    await undo(bridge);
    assert.deepEqual(await undo(newer), { kind: "done", from: old.leadId, state: "completed" });
    assert.deepEqual([await image(old), await image(newer)], before);
    assert.deepEqual(await resumes(), [bridge.leadId]);
  });

  it("undoes merges on top of one another in any order", async () => {
    const a = business({ phone, name: "Bakery", categories: ["bread"] }, { revision: 1_000 });
    const a2 = business({ phone, name: "Bakery", vertical: "food" }, { revision: 2_000, trust: "yelp" });
    const b = business({ email: "b@bakery.example", name: "Bakery Ltd" }, { revision: 3_000, trust: "manual" });
    const b2 = business({ email: "b@bakery.example", name: "Bakery", foundedYear: 1990 }, { revision: 4_000 });
    const bridge = business({ phone, email: "b@bakery.example", name: "Bakery" }, { revision: 5_000, trust: "google" });
    const all = [a, a2, b, b2];
    for (const lead of all) await place.settle([lead]);
    const pairs = await Promise.all(all.map(image));
    await place.settle([bridge]);
    assert.equal((await rowOf(knex, b2.leadId)).merged_into, a.leadId, "all are one");
    // The one that tied them, then the cluster that it tied: which takes its own double with it.
    await undo(bridge);
    await undo(b);
    assert.deepEqual(await Promise.all(all.map(image)), pairs);
    assert.deepEqual((await rowOf(knex, bridge.leadId)).fields, bridge.fields);
    // What was lost first goes first as well as last.
    await undo(b2);
    await undo(a2);
    for (const lead of all) {
      const row = await rowOf(knex, lead.leadId);
      assert.deepEqual([row.state, row.fields, row.provenance, row["own"]], ["in_progress", lead.fields, {}, null]);
    }
    await place.settle(all);
    assert.deepEqual(await knex("leads").where({ state: "merged" }), []);
  });

  it("undoes the lower of two merges first, and keeps what the upper one brought", async () => {
    const winner = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const lower = business({ phone, name: "Bakery", email: "low@bakery.example" }, { revision: 2_000 });
    const upper = business({ phone, name: "Bakery", vertical: "food" }, { revision: 3_000 });
    for (const lead of [winner, lower, upper]) await place.settle([lead]);
    await undo(lower);
    assert.deepEqual((await rowOf(knex, winner.leadId)).fields, { phone, name: "Bakery", vertical: "food" });
    assert.equal((await rowOf(knex, upper.leadId)).merged_into, winner.leadId);
    await undo(upper);
    assert.deepEqual((await rowOf(knex, winner.leadId)).fields, winner.fields);
  });

  it("keeps what either has told since", async () => {
    const winner = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const loser = business({ phone, name: "Bakery", email: "a@bakery.example" }, { revision: 2_000 });
    await place.settle([winner, loser]);
    await complete(winner);
    const told = { ...loser, revision: 9_000, fields: { phone, name: "Bakery", email: "b@bakery.example" } };
    await place.settle([told]);
    await place.settle([{ ...winner, revision: 9_000, fields: { phone, name: "Bakery", vertical: "food" } }]);
    await undo(loser);
    assert.deepEqual((await rowOf(knex, winner.leadId)).fields, { phone, name: "Bakery", vertical: "food" });
    assert.deepEqual((await rowOf(knex, loser.leadId)).fields, told.fields);
  });

  it("undoes what an operator has merged, and says so to who looks at the review", async () => {
    const inDoubt = { name: "Rosebud Bakery", address: { city: "Chicago" } };
    const [a, b] = [business(inDoubt, { revision: 1_000 }), business(inDoubt, { revision: 2_000 })];
    await place.settle([a, b]);
    const { review_id: reviewId } = await knex("reviews").first();
    await transaction(knex, (trx) => judge(trx, { tenant: "acme", reviewId, decision: "merge" }));
    await undo(b);
    const review = await knex("reviews").first();
    assert.deepEqual([review.state, review.ground, review.review_id], ["apart", "unmerge", reviewId]);
    assert.deepEqual(await transaction(knex, (trx) => judge(trx, { tenant: "acme", reviewId, decision: "merge" })), {
      kind: "otherwise",
      state: "apart",
    });
  });

  it("says of a lead that it was never merged, or is not there", async () => {
    const lead = business({ phone });
    assert.deepEqual(await undo(lead), { kind: "none" });
    await place.settle([lead]);
    assert.deepEqual(await undo(lead), { kind: "never_merged" });
    const other = business({ phone, name: lead.fields.name }, { tenant: "zenith" });
    await place.settle([other]);
    assert.deepEqual(await undo(other), { kind: "none" }, "another tenant's");
  });

  it("keeps what a lead knows that is merged into the winner while the unmerge waits for it", async () => {
    const ids = [1, 2, 3].map((n) => `0000000${n}-0000-4000-8000-000000000000`) as [string, string, string];
    const winner = business({ phone, name: "Bakery" }, { leadId: ids[0], revision: 1_000 });
    const loser = business({ phone, name: "Bakery" }, { leadId: ids[1], revision: 2_000 });
    const late = business({ phone, name: "Bakery", email: "a@bakery.example" }, { leadId: ids[2], revision: 3_000 });
    await place.settle([winner, loser]);
    const another = place.another();
    const arrived = await transaction(another, (trx) => arrive(trx, "dedupe", [late]));
    const holder = await another.transaction();
    await holder("leads").where({ lead_id: winner.leadId }).forUpdate().first();
    // The winner has the smallest id, so that the unmerge waits with nothing locked.
    const undone = undo(loser);
    await eventually("the unmerge waits for the winner", async () => {
      const { rows } = await another.raw(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
           and query like '%for update of l'`,
      );
      return rows.length > 0;
    });
    await join(holder, arrived);
    await holder.commit();
    assert.deepEqual(await undone, { kind: "done", from: winner.leadId, state: "in_progress" });
    const row = await rowOf(knex, winner.leadId);
    assert.deepEqual([row.fields.email, Object.keys(row.provenance).length > 0], ["a@bakery.example", true]);
    assert.equal((await rowOf(knex, late.leadId)).merged_into, winner.leadId);
    assert.equal((await rowOf(knex, loser.leadId)).merged_into, null);
  });

  it("is not taken back by a late end of the merge, nor lost to others who write the same leads at once", async () => {
    const winner = business({ phone, name: "Bakery" }, { revision: 1_000 });
    const losers = Array.from({ length: 12 }, (_, n) => business({ phone, name: "Bakery" }, { revision: 2_000 + n }));
    await place.settle([winner, ...losers]);
    const another = place.another();
    await Promise.all([
      ...losers.map((lead) => undo(lead, another)),
      ...losers.map((lead) =>
        writeEnds(knex, [{ lead: passed(lead, "dedupe"), stage: "dedupe", state: "merged", into: winner.leadId }]),
      ),
      place.settle([winner, ...losers]),
    ]);
    await Promise.all(
      losers.map((lead) =>
        writeEnds(knex, [{ lead: passed(lead, "dedupe"), stage: "dedupe", state: "merged", into: winner.leadId }]),
      ),
    );
    assert.deepEqual(await knex("leads").distinct().pluck("state"), ["in_progress"]);
    assert.equal((await resumes()).length, losers.length);
    assert.deepEqual((await rowOf(knex, winner.leadId)).fields, winner.fields);
  });
});

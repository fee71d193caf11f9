import assert from "node:assert/strict";
import type { Knex } from "knex";
import { transaction } from "../../../mixins/knex.ts";
import { type Decision, type Judged, judge } from "../../../services/dedupe/judge.sql.ts";
import { type ReviewRow, type ReviewState, readReviews } from "../../../services/dedupe/reviews.sql.ts";
import type { Lead, LeadFields } from "../../../services/leads/lead.ts";
import { business, contents, dedupePlace, type Place, rowOf } from "./place.ts";

const phone = "+13125550142";
const inDoubt: LeadFields = { name: "Rosebud Bakery", address: { city: "Chicago" } };

describe("dedupe: what is in doubt", () => {
  let place: Place;
  let knex: Knex;
  beforeEach(async () => {
    place = await dedupePlace();
    knex = place.knex;
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const reviews = (state: ReviewState = "open", limit = 200, key?: { at: string; id: string }) =>
    readReviews(knex, { tenant: "acme", state, limit, ...(key && { key }) });
  const decide = (reviewId: string, decision: Decision, on = knex): Promise<Judged> =>
    transaction(on, (trx) => judge(trx, { tenant: "acme", reviewId, decision }));
  const settleAll = async (...leads: Lead[]) => {
    for (const lead of leads) await place.settle([lead]);
  };
  /** Two leads in doubt, on record, and their review. */
  const doubtful = async (): Promise<{ a: Lead; b: Lead; review: ReviewRow }> => {
    const [a, b] = [business(inDoubt, { revision: 1_000 }), business(inDoubt, { revision: 2_000 })];
    await settleAll(a, b);
    const [review] = await reviews();
    return { a, b, review: review! };
  };
  const winnerOf = async ({ leadId }: Lead) => (await rowOf(knex, leadId)).merged_into ?? leadId;

  it("is asked once, with both leads side by side and what each field weighs, whatever is told again", async () => {
    const { a, b, review } = await doubtful();
    assert.equal((await reviews()).length, 1);
    assert.deepEqual([review.state, review.ground], ["open", "doubt"]);
    assert.deepEqual(review.leads.map(({ id }) => id).sort(), [a.leadId, b.leadId].sort());
    assert.deepEqual(review.leads[0]!.fields, inDoubt);
    assert.deepEqual(
      review.evidence.map(({ level }) => level),
      ["name_same", "city_same"],
    );
    const sum = review.evidence.reduce((total, { weight }) => total + weight, 0);
    assert.ok(Math.abs(sum - review.weight!) < 0.02 && sum > 7.5 && sum < 9);

    const before = await knex("reviews");
    for (const batch of [[a], [b], [a, b]]) await place.settle(batch);
    assert.deepEqual(await knex("reviews"), before, "repeats write nothing");
    await place.settle([{ ...b, revision: 3_000, fields: { ...inDoubt, email: "b@rosebud.example" } }]);
    assert.equal((await reviews())[0]!.id, review.id, "a later telling asks no second time");
  });

  it("is read a page at a time, of one's own tenant alone, and each review once", async () => {
    const leads = Array.from({ length: 5 }, () => business(inDoubt));
    await place.settle(leads);
    const theirs = [business(inDoubt, { tenant: "zenith" }), business(inDoubt, { tenant: "zenith" })];
    await place.settle(theirs);
    const seen: string[] = [];
    let key: { at: string; id: string } | undefined;
    for (;;) {
      const page = await reviews("open", 3, key);
      seen.push(...page.map(({ id }) => id));
      if (page.length < 3) break;
      key = page.at(-1)!;
    }
    assert.equal(seen.length, 10, "each of five with each other");
    assert.equal(new Set(seen).size, 10);
  });

  it("becomes one lead when an operator says so, as by any merge, and stays so", async () => {
    const { a, b, review } = await doubtful();
    assert.deepEqual(await decide(review.id, "merge"), { kind: "done", winner: a.leadId });
    const row = await rowOf(knex, b.leadId);
    assert.deepEqual([row.state, row.reason, row.merged_into], ["merged", "duplicate", a.leadId]);
    const booked = await knex("merges").where({ loser: b.leadId });
    assert.deepEqual(booked[0]!.evidence, { agree: ["review"] });
    const before = await contents(knex);
    assert.deepEqual(await decide(review.id, "merge"), { kind: "done", winner: a.leadId }, "the same again");
    assert.deepEqual(await decide(review.id, "keep_apart"), { kind: "otherwise", state: "merged" });
    assert.deepEqual(await contents(knex), before);
    // It tells later what makes another business of it: a person has decided.
    await place.settle([{ ...b, revision: 9_000, fields: { name: "Tulip", phone: "+13125550199" } }]);
    assert.equal(await winnerOf(b), a.leadId);
    assert.equal((await reviews()).length, 0);
  });

  it("stays apart when an operator says so, though both tell later that they are the same", async () => {
    const { a, b, review } = await doubtful();
    assert.deepEqual(await decide(review.id, "keep_apart"), { kind: "done", winner: null });
    assert.deepEqual(await decide(review.id, "keep_apart"), { kind: "done", winner: null });
    assert.deepEqual(await decide(review.id, "merge"), { kind: "otherwise", state: "apart" });
    const same = { ...inDoubt, phone };
    for (const lead of [b, a]) await place.settle([{ ...lead, revision: 9_000, fields: same }]);
    await place.settle([a, b]);
    assert.deepEqual([await winnerOf(a), await winnerOf(b)], [a.leadId, b.leadId]);
    assert.equal((await reviews()).length, 0, "and is not asked again");
    assert.equal((await reviews("apart")).length, 1);
  });

  it("does not come together through a third lead, whose second tie is asked about", async () => {
    const { a, b, review } = await doubtful();
    await decide(review.id, "keep_apart");
    for (const lead of [a, b]) await place.settle([{ ...lead, revision: 9_000, fields: { ...inDoubt, phone } }]);
    const third = business({ ...inDoubt, phone });
    const { kind, ...settled } = (await place.settle([third])).get(third.leadId)!;
    assert.equal(kind, "merged");
    const { into } = settled as { into: string };
    const other = [a, b].find(({ leadId }) => leadId !== into)!;
    assert.equal(await winnerOf(other), other.leadId, "the other stays for itself");
    const [asked] = await reviews();
    assert.equal(asked!.ground, "conflict");
    assert.deepEqual(asked!.leads.map(({ id }) => id).sort(), [third.leadId, other.leadId].sort());
    // To merge it now would bring together what is apart.
    const judged = await decide(asked!.id, "merge");
    assert.equal(judged.kind, "impossible");
    assert.equal(await winnerOf(other), other.leadId);
    const before = await contents(knex);
    await place.settle([a, b, third]);
    assert.deepEqual(await contents(knex), before);
    assert.equal((await reviews()).length, 1);
  });

  it("is not asked any more once the two have become one, and cannot be kept apart then", async () => {
    const { a, b, review } = await doubtful();
    for (const lead of [a, b]) await place.settle([{ ...lead, revision: 9_000, fields: { ...inDoubt, phone } }]);
    assert.equal(await winnerOf(b), a.leadId);
    assert.equal((await reviews()).length, 0);
    assert.equal((await decide(review.id, "keep_apart")).kind, "impossible");
    assert.deepEqual(await decide(review.id, "merge"), { kind: "done", winner: a.leadId });
  });

  it("cannot be merged when one of the two is no lead any more", async () => {
    const { a, review } = await doubtful();
    await knex("leads").where({ lead_id: a.leadId }).update({ state: "erased" });
    assert.equal((await reviews()).length, 0);
    assert.equal((await decide(review.id, "merge")).kind, "impossible");
    assert.deepEqual(await decide("00000000-0000-4000-8000-000000000000", "merge"), { kind: "none" });
  });

  it("is decided by one of two operators who answer at once, and the other is told, 30 times", async () => {
    const [one, two] = [knex, place.another()];
    for (let round = 0; round < 30; round++) {
      const fields = {
        name: `Rosebud${"kbtdfgmprs"[round % 10]}${"aeiou"[round % 5]}${round}x`,
        address: { city: "Chicago" },
      };
      const leads = [business(fields), business(fields)];
      await place.settle(leads);
      const [review] = await reviews();
      const answers = await Promise.all([decide(review!.id, "merge", one), decide(review!.id, "keep_apart", two)]);
      const kinds = answers.map(({ kind }) => kind).sort();
      assert.equal(kinds.filter((kind) => kind === "done").length, 1, `round ${round}: ${kinds}`);
      const [row] = await knex("reviews").where({ review_id: review!.id });
      const merged = (
        await knex("leads")
          .whereIn(
            "lead_id",
            leads.map((lead) => lead.leadId),
          )
          .where({ state: "merged" })
      ).length;
      assert.deepEqual([row.state, merged], answers[0]!.kind === "done" ? ["merged", 1] : ["apart", 0]);
    }
  });
});

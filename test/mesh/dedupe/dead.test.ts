import assert from "node:assert/strict";
import type { Knex } from "knex";
import { statement, transaction } from "../../../mixins/knex.ts";
import { judge } from "../../../services/dedupe/judge.sql.ts";
import { readResumes } from "../../../services/dedupe/resumes.sql.ts";
import { readReviews } from "../../../services/dedupe/reviews.sql.ts";
import { unmerge } from "../../../services/dedupe/unmerge.sql.ts";
import { deadLead, filedLetter } from "../../../services/leads/dead-letter.ts";
import { fileLetters, noteRedriven } from "../../../services/leads/dead-letters.sql.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { writeDead, writeEnds } from "../../../services/leads/record.ts";
import { entriesOf } from "../../../services/leads/timeline.ts";
import { passed } from "../../support/leads.ts";
import { business, dedupePlace, type Place, rowOf, seeded, seededId, shuffled } from "./place.ts";

const seed = Number(process.env["TEST_SEED"] ?? Date.now() % 1_000_000);
const phone = "+13125550142";

describe("dedupe: leads that are dead", function () {
  this.timeout(60_000);
  let place: Place;
  let knex: Knex;
  beforeEach(async () => {
    place = await dedupePlace();
    knex = place.knex;
  });
  afterEach(() => place[Symbol.asyncDispose]());

  let letters = 0;
  const letterOf = (lead: Lead, stage: string) => {
    const data = new TextEncoder().encode(JSON.stringify({ lead, stage, lane: "live", error: { type: "TypeError" } }));
    return { data, subject: `leads.dead.${stage}.acme`, seq: ++letters, storedAt: 1_760_000_000_000 + letters };
  };
  /** Marks its lead, as the recorder does first. */
  const mark = async (letter: ReturnType<typeof letterOf>) => {
    const read = deadLead(letter.data);
    assert.ok(read.kind === "lead");
    await writeDead(knex, [read.row]);
  };
  const file = (letter: ReturnType<typeof letterOf>, on = knex) => fileLetters(on, [filedLetter(letter)]);
  const die = async (lead: Lead, stage = "mockup") => {
    const letter = letterOf(lead, stage);
    await mark(letter);
    await file(letter);
  };
  const bakery = (given: Partial<Lead> = {}) => business({ phone, name: "Bakery" }, given);
  const letThrough = (lead: Lead) => passed(lead, "enrich", "dedupe", "score");
  /** A lead that dedupe has let through, and that has died then. */
  const dead = async (given: Partial<Lead> = {}) => {
    const lead = bakery(given);
    await place.settle([lead]);
    await die(letThrough(lead));
    return lead;
  };
  const settled = async (lead: Lead) => (await place.settle([lead])).get(lead.leadId)!;
  const stands = async ({ leadId }: Lead) => {
    const { state, merged_into } = await rowOf(knex, leadId);
    return [state, merged_into];
  };
  const lettersOf = ({ leadId }: Lead) => knex("dead_letters").where({ lead_id: leadId }).orderBy("seq").pluck("state");
  const open = async () => Number((await knex("dead_letter_counts").sum("open as n"))[0]!["n"]);
  const redrive = ({ leadId, tenant, revision }: Lead) => noteRedriven(knex, [{ leadId, tenant, revision }]);

  it("lose to a double that arrives, with what they know, and their letters are closed", async () => {
    const lost = await dead({ revision: 1_000, trust: "google" });
    const double = business({ phone, name: "Bakery", email: "a@bakery.example" }, { revision: 2_000 });
    assert.equal(await open(), 1);
    const settlement = await settled(double);
    assert.equal(settlement.kind, "live");
    assert.deepEqual(await stands(lost), ["merged", double.leadId]);
    assert.deepEqual([await lettersOf(lost), await open()], [["merged"], 0]);
    assert.equal((await rowOf(knex, double.leadId)).provenance["phone"]!.leadId, lost.leadId);
    const [merge] = await knex("merges");
    assert.deepEqual([merge.loser_before.state, merge.loser_before.reason], ["dead", "TypeError"]);
    assert.deepEqual(await settled(double), settlement, "a repeat is answered alike");
    assert.deepEqual([await lettersOf(lost), await open()], [["merged"], 0]);
  });

  it("lose so, too, whose timeline was written before it was lines", async () => {
    const lost = await dead({ revision: 1_000 });
    const { timeline } = await rowOf(knex, lost.leadId);
    const before = JSON.stringify(entriesOf(timeline as unknown[]));
    await knex("leads").where({ lead_id: lost.leadId }).update({ timeline: before });
    const double = bakery();
    await settled(double);
    assert.deepEqual(await stands(lost), ["merged", double.leadId]);
  });

  it("win over nobody: of two that are dead none is merged until one comes that moves", async () => {
    const one = await dead();
    const two = business({ phone: "+13125550143", name: "Bakery", email: "a@bakery.example" });
    await place.settle([two]);
    await die(letThrough(two));
    const bridge = business({ phone, name: "Bakery", email: "a@bakery.example" });
    await settled(bridge);
    assert.deepEqual(await stands(one), ["merged", bridge.leadId]);
    assert.deepEqual(await stands(two), ["merged", bridge.leadId]);
    assert.equal(await open(), 0);
  });

  it("bring those along that had been merged into them", async () => {
    const lost = await dead({ revision: 1_000 });
    const member = bakery();
    await knex("leads").where({ lead_id: lost.leadId }).update({ state: "in_progress" });
    await place.settle([member]);
    await knex("leads").where({ lead_id: lost.leadId }).update({ state: "dead" });
    const double = bakery();
    assert.equal((await settled(double)).kind, "live");
    for (const lead of [lost, member]) assert.deepEqual(await stands(lead), ["merged", double.leadId]);
  });

  it("take no part while their redrive passes dedupe again", async () => {
    const early = bakery({ revision: 1_000 });
    await place.settle([early]);
    const later = passed({ ...early, revision: early.revision + 1 }, "enrich");
    await die({ ...later, timeline: [] }, "enrich");
    const double = bakery();
    assert.equal((await settled(double)).kind, "live");
    assert.deepEqual([await stands(early), await lettersOf(early)], [["dead", null], ["dead"]]);
    assert.equal((await settled(later)).kind, "live", "it was there first");
    assert.deepEqual(await stands(double), ["merged", early.leadId]);
  });

  it("are as good as under way once they are put back: who arrives then loses", async () => {
    const back = await dead({ revision: 2_000 });
    assert.deepEqual(await redrive(back), []);
    const double = bakery({ revision: 1_000 });
    assert.deepEqual(await settled(double), { kind: "merged", into: back.leadId });
    assert.deepEqual(await stands(back), ["dead", null]);
    await writeEnds(knex, [{ lead: passed(letThrough(back), "mockup"), stage: "email", state: "completed" }]);
    assert.deepEqual(await stands(back), ["completed", null]);
  });

  it("are either put back or merged when both happen at once, never both", async () => {
    for (const first of ["redrive", "merge"]) {
      const lead = await dead();
      const double = bakery();
      const ask = { leadId: lead.leadId, tenant: lead.tenant, revision: lead.revision };
      const another = place.another();
      const held = await knex.transaction();
      await held.raw("select 1 from leads where lead_id = ? for update", [lead.leadId]);
      const waiting = async (count: number) => {
        for (;;) {
          const { rows } = await another.raw(
            "select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
          );
          if (rows[0].n >= count) return;
        }
      };
      const start = { redrive: () => statement(() => noteRedriven(another, [ask])), merge: () => settled(double) };
      const second = first === "redrive" ? "merge" : "redrive";
      const one = start[first as "redrive" | "merge"]();
      await waiting(1);
      const two = start[second]();
      await waiting(2);
      await held.rollback();
      await Promise.all([one, two]);
      const [state] = await stands(lead);
      const toldMerged = (await redrive(lead)).length === 1;
      const [doubleState] = await stands(double);
      if (first === "redrive") assert.deepEqual([state, toldMerged, doubleState], ["dead", false, "merged"]);
      else assert.deepEqual([state, toldMerged, doubleState], ["merged", true, "in_progress"]);
      await knex("leads").whereIn("lead_id", [lead.leadId, double.leadId]).update({ state: "discarded" });
    }
  });

  it("have no open letter either where it is told after the merge, or while the merge is written", async () => {
    const lead = bakery();
    await place.settle([lead]);
    const [first, second] = [letterOf(letThrough(lead), "mockup"), letterOf(letThrough(lead), "mockup")];
    await mark(first);
    await settled(bakery());
    await file(first);
    const held = await knex.transaction();
    await held.raw("update leads set state = 'merged' where lead_id = ?", [lead.leadId]);
    const filing = file(second, place.another());
    await held.commit();
    await filing;
    assert.deepEqual([await lettersOf(lead), await open()], [["merged", "merged"], 0]);
    // Dedupe lies before this one.
    await file(letterOf(lead, "enrich"));
    assert.deepEqual([await lettersOf(lead), await open()], [["merged", "merged", "dead"], 1]);
  });

  it("try their stage again when the merge is undone, with all that they had found out", async () => {
    const lead = bakery({ revision: 1_000 });
    await place.settle([lead]);
    const score = { value: 70, version: "test", fired: [] };
    const found = { ...letThrough(lead), score, facts: { site: { status: "ok" as const } } };
    await die(found);
    const double = bakery({ revision: 2_000 });
    await settled(double);
    const undo = () => transaction(knex, (trx) => unmerge(trx, { tenant: "acme", leadId: lead.leadId, now: 5_000 }));
    assert.deepEqual(await undo(), { kind: "done", from: double.leadId, state: "in_progress" });
    const [resumed] = await readResumes(knex, 10);
    assert.deepEqual([resumed!.score, resumed!.facts, resumed!.fields], [score, found.facts, lead.fields]);
    assert.deepEqual(
      resumed!.timeline.map(({ stage, outcome }) => `${stage} ${outcome}`),
      ["enrich forward", "dedupe forward", "score forward", "dedupe unmerge"],
    );
    assert.deepEqual(await undo(), { kind: "done", from: double.leadId, state: "in_progress" });
    await die(found);
    assert.deepEqual([await stands(lead), await open()], [["dead", null], 1], "it may die again, as any lead");
  });

  it("are asked about, and merged by a person, as others are", async () => {
    const lost = await dead();
    const chain = business({ phone, name: "Tulip" });
    await place.settle([chain]);
    const [low, high] = [lost.leadId, chain.leadId].sort() as [string, string];
    const reviewId = "00000000-0000-4000-8000-000000000001";
    await knex("reviews").insert({ tenant: "acme", low, high, review_id: reviewId, state: "open", ground: "doubt" });
    const asked = await readReviews(knex, { tenant: "acme", state: "open", limit: 10 });
    assert.equal(asked.length, 1);
    const merge = () => transaction(knex, (trx) => judge(trx, { tenant: "acme", reviewId, decision: "merge" }));
    await die(letThrough(chain));
    assert.equal((await merge()).kind, "impossible", "both are dead");
    await redrive(chain);
    assert.deepEqual(await merge(), { kind: "done", winner: chain.leadId });
    assert.deepEqual(await stands(lost), ["merged", chain.leadId]);
  });

  it(`end as one lead with their doubles, in whatever order all of it happens (seed ${seed})`, async () => {
    const random = seeded(seed);
    const businesses = 30;
    /** What happens to a lead, in this order; how those of others fall in between is left to chance. */
    interface Way {
      lead: Lead;
      steps: ("arrive" | "die early" | "die" | "redrive" | "end")[];
      into: boolean;
    }
    const ways: Way[] = [];
    for (let n = 0; n < businesses; n++) {
      for (let copy = 0; copy < 3; copy++) {
        const leadId = seededId(seed, n, copy);
        const given = { leadId, revision: 1_000_000 + ways.length };
        const lead = business({ name: `Bakery ${n}`, phone: `+1312${6_000_000 + n}` }, given);
        const early: Way["steps"] = random() < 0.3 ? ["die early", "redrive"] : [];
        const late: Way["steps"] = random() < 0.6 ? ["die", "redrive"] : [];
        ways.push({ lead, steps: [...early, "arrive", ...late, "end"], into: false });
      }
    }
    const act = {
      "die early": (way: Way) => die(way.lead, "enrich"),
      async arrive(way: Way) {
        way.into = (await settled(passed(way.lead, "enrich"))).kind === "merged";
      },
      die: (way: Way) => die(letThrough(way.lead)),
      async redrive(way: Way) {
        // What is merged is not put back; its way is over, but where dedupe is still to come.
        if ((await redrive(way.lead)).length > 0 && !way.steps.includes("arrive")) way.into = true;
      },
      end: (way: Way) =>
        writeEnds(knex, [
          { lead: passed(letThrough(way.lead), "mockup", "email"), stage: "email", state: "completed" },
        ]),
    };
    let queue = ways;
    while (queue.length > 0) {
      const [way] = shuffled(queue, random);
      const step = way!.steps.shift()!;
      await act[step](way!);
      if (way!.into) way!.steps = [];
      queue = queue.filter(({ steps }) => steps.length > 0);
    }
    const rows = await knex("leads").select("lead_id", "state", "merged_into", "name");
    assert.equal(rows.length, businesses * 3);
    const states = new Map(rows.map((row) => [row.lead_id, row]));
    for (const [name, group] of Map.groupBy(rows, (row) => row.name)) {
      const ended = group.filter(({ state }) => state === "completed");
      assert.equal(ended.length, 1, `${name}: ${group.map(({ state }) => state).join()}`);
      for (const { merged_into } of group.filter(({ state }) => state === "merged"))
        assert.equal(states.get(merged_into), ended[0], name);
    }
    assert.equal(rows.filter(({ state }) => state === "merged").length, businesses * 2);
    // Letters in the stream's index are closed by their jobs, which are no part of this: those of the merged are.
    const merged = await knex("leads as l")
      .join("dead_letters as d", "d.lead_id", "l.lead_id")
      .where({ "l.state": "merged", "d.state": "dead", "d.stage": "mockup" })
      .count("* as n");
    assert.equal(Number(merged[0]!["n"]), 0);
  });
});

import assert from "node:assert/strict";
import { letterId, readCursor, readLetterId, writeCursor } from "../../../services/dead-letters/letter-id.ts";
import {
  type Letter,
  type OnRecord,
  parseLetter,
  patchFaults,
  planRedrive,
  type Rules,
} from "../../../services/dead-letters/plan.ts";
import type { LeadState } from "../../../services/leads/lead.ts";
import { aLead, passed } from "../../support/leads.ts";

const rules: Rules = {
  stages: new Set(["enrich", "score", "source"]),
  first: "enrich",
  side: new Set(["source"]),
  now: 1_770_000_000_000,
  defaultRegion: "US",
};
const lead = passed(aLead(), "enrich", "dedupe");
const letter: Letter = { lead, stage: "score", lane: "bulk", tenant: "acme", requestId: "r", traceparent: "t" };
/** On record as the letter has it. */
const as = (state: LeadState): OnRecord => ({ state, revision: lead.revision });
const why = (given: Partial<Letter> | null, patch: object | null = null, known?: OnRecord) => {
  const plan = planRedrive(given && { ...letter, ...given }, known, patch as Record<string, unknown> | null, rules);
  return plan.kind === "stay" ? plan.why : plan.kind === "go" ? plan.stage : plan.kind;
};

describe("what becomes of a letter that is put back", () => {
  it("is its own stage, with the lead as it was, where nothing is mended", () => {
    assert.deepEqual(planRedrive(letter, as("dead"), null, rules), { kind: "go", stage: "score", lead });
    assert.equal(why({ stage: "source" }), "source");
  });

  it("is nothing, for a reason, where it could only die again or has ended otherwise", () => {
    assert.equal(why(null), "unreadable");
    assert.equal(why({ lead: null }), "unreadable");
    assert.equal(why({ lane: "fast" as never }), "unreadable");
    assert.equal(why({ tenant: "another" }), "unreadable");
    assert.equal(why({ lead: { ...lead, timeline: "none" as never } }), "unreadable");
    assert.equal(why({ stage: "gone" }), "no_stage");
    assert.equal(why({}, null, as("discarded")), "discarded");
    assert.equal(why({}, null, as("erased")), "erased");
    assert.equal(why({ stage: "source" }, { name: "x" }), "no_lead");
  });

  it("is the first stage and a later telling where it is mended, with what was worked out worked out anew", () => {
    const told = { ...lead, fields: { ...lead.fields, website: "https://old.example/", domain: "old.example" } };
    const plan = planRedrive(
      { ...letter, lead: told },
      as("dead"),
      { website: "new.example", vertical: "Bakery" },
      rules,
    );
    assert.ok(plan.kind === "go");
    assert.equal(plan.stage, "enrich");
    const { fields, revision, leadId, timeline, facts } = plan.lead;
    assert.deepEqual([fields.domain, fields.vertical, fields.name], ["new.example", "bakery", lead.fields.name]);
    assert.deepEqual([revision, leadId, timeline, facts], [rules.now, lead.leadId, [], {}]);
  });

  it("is its close where the lead has become another's double, but for what passes dedupe again", () => {
    assert.equal(why({}, null, as("merged")), "merged");
    assert.equal(why({ stage: "enrich", lead: { ...lead, timeline: [] } }, null, as("merged")), "enrich");
    assert.equal(why({}, { name: "Mill" }, as("merged")), "enrich", "mended, it is a later telling");
    assert.equal(why({ lead: { ...lead, timeline: [null, 7] as never } }, null, as("merged")), "score");
  });

  it("is nothing where the lead was told again since, mended or not: the letter would be put over that", () => {
    const later = { state: "dead" as const, revision: lead.revision + 1 };
    assert.equal(why({}, null, later), "told_again");
    assert.equal(why({}, { name: "Mill" }, later), "told_again");
    assert.equal(why({}, { name: "Mill" }, { state: "in_progress", revision: lead.revision - 1 }), "enrich");
    assert.equal(why({}, null, { ...later, state: "merged" }), "merged", "its letter is closed");
  });

  it("takes a field away by null, and stays dead where that leaves no lead", () => {
    const both = { ...lead, fields: { ...lead.fields, email: "info@mill.example" } };
    const plan = planRedrive({ ...letter, lead: both }, as("dead"), { email: null }, rules);
    assert.ok(plan.kind === "go" && !("email" in plan.lead.fields));
    assert.equal(why({}, { phone: null }), "patch_refused");
  });

  it("mends a lead that is misshapen", () => {
    const broken = { ...letter, lead: { ...lead, fields: null as never } };
    const plan = planRedrive(broken, as("dead"), { name: "Mill", phone: "312 555 0142" }, rules);
    assert.ok(plan.kind === "go" && plan.lead.fields.phone === "+13125550142");
  });

  it("knows a patch that is wrong for any lead", () => {
    assert.deepEqual(
      patchFaults({ name: "x", colour: "red", sourceId: "7" }).map(({ field }) => field),
      ["colour", "sourceId"],
    );
  });
});

describe("a letter", () => {
  it("is read whatever it is", () => {
    for (const text of ["", "null", "7", "[]", "{}", '{"lead":7}'])
      assert.equal(planRedrive(parseLetter(new TextEncoder().encode(text)), undefined, null, rules).kind, "stay", text);
  });

  it("has an id and a cursor that lead back to it, and nothing else does", () => {
    const key = { seq: 4_711, diedAt: 1_769_999_999_999 };
    assert.deepEqual(readLetterId(letterId(key)), key);
    assert.deepEqual(readCursor(writeCursor(key)), key);
    for (const id of ["", "17", "0-1", "17-", "17-UP", "1e3-4", "17-zzzzzzzzzzz"])
      assert.equal(readLetterId(id), undefined);
    assert.equal(readCursor("bm9uZQ"), undefined);
  });
});

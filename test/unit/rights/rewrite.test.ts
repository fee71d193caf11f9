import assert from "node:assert/strict";
import { leadsNamedIn } from "../../../services/leads/row.ts";
import { names, ofDeadLetter, ofEnvelope } from "../../../services/rights/rewrite.ts";
import { aLead } from "../../support/leads.ts";

const lead = aLead();
const erased = { tenant: "acme", leadIds: [lead.leadId] };
const theirs = { ...lead, tenant: "zenith" };
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const cut = (value: unknown) => JSON.stringify(value).slice(0, -2);

describe("what an erasure does with a message that names an erased id", () => {
  it("leaves another tenant's lead of the same id where it is, in an envelope and in a letter", () => {
    assert.equal(ofEnvelope(bytes({ items: [{ lead: theirs }] }), erased).kind, "keep");
    assert.equal(ofDeadLetter(bytes({ lead: theirs }), erased).kind, "keep");
    const both = ofEnvelope(bytes({ items: [{ lead }, { lead: theirs }] }), erased);
    assert.ok(both.kind === "rest" && both.items.length === 1 && both.items[0]!.lead.tenant === "zenith");
    assert.equal(ofEnvelope(bytes({ items: [{ lead }] }), erased).kind, "drop");
    assert.equal(ofDeadLetter(bytes({ lead }), erased).kind, "drop");
  });

  it("takes one that cannot be read by whom its headers or its subject name", () => {
    const unreadable = bytes(`not JSON ${lead.leadId}`);
    for (const decide of [ofEnvelope, ofDeadLetter]) {
      assert.equal(decide(unreadable, erased, "zenith").kind, "keep");
      assert.equal(decide(unreadable, erased, "acme").kind, "drop");
      assert.equal(decide(unreadable, erased).kind, "drop", "it may be theirs");
    }
    assert.equal(ofEnvelope(bytes({ items: 7, lead }), erased, "zenith").kind, "keep");
  });

  it("takes one that nobody is told of by whom its text names", () => {
    const text = (of: object) => cut({ items: [{ lead: of }] });
    assert.equal(ofEnvelope(bytes(text(theirs)), erased).kind, "keep");
    assert.equal(ofEnvelope(bytes(text(lead)), erased).kind, "drop");
    assert.equal(ofDeadLetter(bytes({ lead: null, raw: text(theirs) }), erased).kind, "keep");
    const stripped = ofDeadLetter(bytes({ lead: null, stage: "score", raw: text(lead) }), erased);
    assert.deepEqual(stripped, { kind: "strip", letter: { lead: null, stage: "score", raw: "(erased)" } });
    assert.equal(ofDeadLetter(bytes({ lead: null, raw: lead.leadId }), erased).kind, "strip", "nobody's may be theirs");
  });

  it("keeps of an unreadable message the ids of the other leads that died with it, and nothing else", () => {
    const [one, two] = [aLead(), aLead()];
    const raw = JSON.stringify({ v: 1, items: [{ lead: one }, { lead }, { lead: two }] }).slice(0, -3);
    const decision = ofDeadLetter(bytes({ lead: null, stage: "score", raw }), erased);
    assert.ok(decision.kind === "strip");
    const { raw: left } = decision.letter as { raw: string };
    assert.equal(left, `(erased) "leadId":"${one.leadId}" "leadId":"${two.leadId}"`);
    assert.deepEqual(leadsNamedIn(left), [one.leadId, two.leadId]);
    assert.ok(!names(bytes(decision.letter), erased.leadIds), "a repeat finds nothing to erase");
  });
});

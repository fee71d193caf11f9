import assert from "node:assert/strict";
import type { Lead } from "../../services/leads/lead.ts";
import { isUuid, rowOf, rowOfDead, toJsonb } from "../../services/leads/row.ts";

const lead: Lead = {
  leadId: "0192f0c1-2b3c-7d4e-8f50-616263646566",
  tenant: "acme",
  revision: 1_760_000_000_000,
  source: "csv",
  sourceId: "17",
  trust: "yelp",
  tier: 2,
  fields: { name: "Acme Bakery", phone: "+13125550100", address: { city: "Chicago", state: "IL", zip: "60601" } },
  facts: { site: { status: "not_fetched", reason: "off" } },
  score: { value: 61, version: "abc", fired: [] },
  timeline: [{ stage: "enrich", at: 1, waitedMs: 0, workedMs: 0, outcome: "forward" }],
};

describe("a lead as a row of the record", () => {
  it("takes the searched fields apart, and the number of stages passed as its step", () => {
    const row = rowOf(lead, { stage: "score", state: "completed", reason: "below_threshold" });
    assert.equal(row.step, 1);
    assert.deepEqual([row.city, row.region, row.zip, row.country], ["Chicago", "IL", "60601", null]);
    assert.deepEqual([row.trust, row.score, row.reason, row.merged_into], [70, 61, "below_threshold", null]);
    assert.deepEqual(row.fields, lead.fields);
  });

  it("takes a dead lead in whatever shape it is, as long as it has an id and a tenant", () => {
    const row = rowOfDead(
      {
        leadId: lead.leadId,
        tenant: "acme",
        revision: "soon",
        fields: 7,
        timeline: {},
        score: { value: 1e9 },
        trust: "x",
        tier: -4,
      },
      "score",
      "TypeError",
    );
    assert.deepEqual(
      [row?.revision, row?.step, row?.name, row?.trust, row?.tier, row?.score, row?.state, row?.reason],
      [0, 0, "", 50, 1, 32_767, "dead", "TypeError"],
    );
    for (const nobody of [null, 7, "x", [], {}, { leadId: "no-uuid", tenant: "acme" }, { leadId: lead.leadId }])
      assert.equal(rowOfDead(nobody, "score", "x"), null);
  });

  it("knows a UUID by its form", () => {
    assert.equal(isUuid(lead.leadId), true);
    assert.equal(isUuid(`${lead.leadId}0`), false);
    assert.equal(isUuid(undefined), false);
  });
});

describe("JSON for the database", () => {
  const through = (value: unknown) => JSON.parse(toJsonb(value)) as unknown;

  it("drops NUL characters in values and keys, wherever they stand", () => {
    assert.deepEqual(through({ "a\u0000b": ["\u0000\u0000x", "y\u0000", "\\\u0000\\"] }), { ab: ["x", "y", "\\\\"] });
  });

  it("leaves a text that only spells an escape as it is", () => {
    for (const text of ["\\u0000", "\\\\u0000", "\\ud800", "plain", "\ud83d\ude00"]) assert.equal(through(text), text);
  });

  it("replaces lone surrogates and keeps pairs", () => {
    assert.equal(through("a\ud800b\udfffc\ud83d\ude00"), "a\ufffdb\ufffdc\ud83d\ude00");
  });
});

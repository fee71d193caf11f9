import assert from "node:assert/strict";
import { queryOf, readQuery } from "../../mixins/http/query.ts";

const declared = {
  limit: { description: "", schema: { type: "integer", minimum: 1, maximum: 200, default: 50 } },
  ratio: { description: "", schema: { type: "number", minimum: 0, maximum: 1 } },
  open: { description: "", schema: { type: "boolean" } },
  sort: { description: "", schema: { type: "string", enum: ["a", "b"] } },
  code: { description: "", schema: { type: "string", pattern: "^\\d{3}$" } },
  q: { description: "", schema: { type: "string", maxLength: 5 } },
} as const;
const read = (query: string) => readQuery(declared, new URLSearchParams(query));

describe("a query", () => {
  it("is all that stands behind the first question mark", () => {
    const of = (target: string) => Object.fromEntries(queryOf(target));
    assert.deepEqual(of("/v1/leads?source=who?&status=dead"), { source: "who?", status: "dead" });
    assert.deepEqual(of("/v1/leads?"), {});
    assert.deepEqual(of("/v1/leads"), {});
  });
  it("is read by the types that are declared, with defaults", () => {
    const { values, faults } = read("ratio=0.5&open=true&sort=b&code=773&q=x");
    assert.deepEqual(faults, []);
    assert.deepEqual(values, { limit: 50, ratio: 0.5, open: true, sort: "b", code: "773", q: "x" });
  });
  for (const [query, field, message] of [
    ["limit=0", "limit", /between 1 and 200/],
    ["limit=1e2", "limit", /whole number/],
    ["limit=", "limit", /whole number/],
    ["limit=5&limit=6", "limit", /more than once/],
    ["ratio=2", "ratio", /between/],
    ["ratio=NaN", "ratio", /not a number/],
    ["open=yes", "open", /true nor false/],
    ["sort=c", "sort", /one of a, b/],
    ["code=77", "code", /does not match/],
    ["q=123456", "q", /longer than 5/],
    ["q=a%00", "q", /control/],
    ["limits=5", "limits", /not a parameter here/],
    ["__proto__=1", "__proto__", /not a parameter here/],
    ["constructor=1", "constructor", /not a parameter here/],
  ] as const)
    it(`names the fault of ${query}`, () => {
      const { faults } = read(query);
      assert.equal(faults.length, 1);
      assert.equal(faults[0]!.field, field);
      assert.match(faults[0]!.message, message);
    });
  it("names all faults at once", () => {
    assert.equal(read("limit=0&sort=c&x=1").faults.length, 3);
  });
});

import assert from "node:assert/strict";
import { requestIdOf, secretOf, traceOf } from "../../mixins/http/ids.ts";

describe("the request id", () => {
  it("is the caller's where it is harmless", () => {
    for (const id of ["a", "order-17:retry.2", "A".repeat(64)]) assert.equal(requestIdOf(id), id);
  });
  it("is a new one of 32 hex digits otherwise", () => {
    for (const id of [undefined, "", "a b", "x\ny", "é", "A".repeat(65), "<script>"])
      assert.match(requestIdOf(id), /^[0-9a-f]{32}$/);
  });
});

describe("the trace context", () => {
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const parent = "00f067aa0ba902b7";
  it("is the caller's where W3C calls it valid", () => {
    for (const flags of ["01", "00"])
      assert.deepEqual(traceOf(`00-${trace}-${parent}-${flags}`, "r"), { traceId: trace, parentId: parent });
  });
  it("is read from a later version as far as version 00 goes", () => {
    const later = traceOf(`cc-${trace}-${parent}-01-what-the-future-adds`, "r");
    assert.deepEqual(later, { traceId: trace, parentId: parent });
  });
  for (const wrong of [
    undefined,
    "",
    `ff-${trace}-${parent}-01`,
    `00-${"0".repeat(32)}-${parent}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `00-${trace}-${parent}-01-more`,
    `00-${trace}-${parent}`,
  ])
    it(`is a new one instead of ${JSON.stringify(wrong)}`, () => {
      const { traceId, parentId } = traceOf(wrong, "r");
      assert.match(traceId, /^[0-9a-f]{32}$/);
      assert.notEqual(traceId, trace);
      assert.equal(parentId, null);
    });
  it("has the request id as its trace where that can be one", () => {
    assert.equal(traceOf(undefined, trace).traceId, trace);
  });
});

describe("the secret of a request", () => {
  it("is the bearer token, in any case of the word, or X-Api-Key", () => {
    assert.equal(secretOf({ authorization: "Bearer lf_x" }), "lf_x");
    assert.equal(secretOf({ authorization: "bearer  lf_x" }), "lf_x");
    assert.equal(secretOf({ "x-api-key": "lf_y" }), "lf_y");
  });
  it("is none in any other form", () => {
    for (const headers of [
      {},
      { authorization: "Basic lf_x" },
      { authorization: "Bearer" },
      { authorization: "Bearer a b" },
      { "x-api-key": "" },
    ])
      assert.equal(secretOf(headers), undefined);
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Errors } from "moleculer";
import { type ErrorType, errorTable, LeadsError, outage } from "../../mixins/errors.ts";
import { errorTypeOf, problemOf } from "../../mixins/http/problem.ts";

describe("a problem", () => {
  it("says what the error table says, and the request id", () => {
    const faults = [{ field: "name", message: "is missing" }];
    const { problem } = problemOf(new LeadsError("VALIDATION", "this is no lead", { faults }), "r1");
    assert.deepEqual(problem, {
      type: "urn:leadfactory:error:validation",
      title: "A field is wrong",
      status: 422,
      detail: "this is no lead",
      instance: "r1",
      faults,
    });
  });
  for (const [error, type, status] of [
    [new Errors.ServiceNotFoundError({ action: "leads.get" }), "OUTAGE", 503],
    [new Errors.ServiceNotAvailableError({ action: "leads.get" }), "OUTAGE", 503],
    [new Errors.RequestTimeoutError({ action: "leads.get", nodeID: "n" }), "OUTAGE", 503],
    [new Errors.RequestRejectedError({ action: "leads.get", nodeID: "n" }), "OUTAGE", 503],
    [new Errors.QueueIsFullError({ action: "leads.get", nodeID: "n", size: 1, limit: 1 }), "OUTAGE", 503],
    [
      new Errors.ValidationError("wrong", "VALIDATION_ERROR", [{ field: "id", message: "is no uuid" }]),
      "VALIDATION",
      422,
    ],
    [new Error("boom"), "INTERNAL", 500],
    [Object.assign(new Error("x"), { type: "toString" }), "INTERNAL", 500],
    [undefined, "INTERNAL", 500],
  ] as const)
    it(`tells ${(error as Error | undefined)?.name ?? "nothing"} as ${type}`, () => {
      assert.equal(errorTypeOf(error), type);
      assert.equal(problemOf(error, "r").problem.status, status);
    });
  it("keeps to itself what a fault of ours says", () => {
    const secret = "connect ECONNREFUSED 10.1.2.3:5432";
    for (const error of [new Error(secret), outage("postgres", new Error(secret))])
      assert.doesNotMatch(JSON.stringify(problemOf(error, "r").problem), /ECONNREFUSED|10\.1\.2\.3/);
    assert.equal(problemOf(outage("postgres"), "r").problem["dependency"], "postgres");
    assert.equal(
      problemOf(new Errors.ServiceNotFoundError({ action: "leads.get" }), "r").problem["dependency"],
      "leads",
    );
  });
  it("says when to come again, in whole seconds, at least one", () => {
    const retryAfter = (error: LeadsError) => problemOf(error, "r").headers["Retry-After"];
    assert.equal(retryAfter(new LeadsError("RATE_LIMITED", "", { retryAfterMs: 10 })), "1");
    assert.equal(retryAfter(new LeadsError("RATE_LIMITED", "", { retryAfterMs: 1_001 })), "2");
    assert.ok(Number(retryAfter(new LeadsError("MAILBOX_FULL", ""))) >= 1);
    assert.equal(retryAfter(new LeadsError("NOT_FOUND", "")), undefined);
  });
  it("names the faults that Moleculer's validator found", () => {
    const error = new Errors.ValidationError("wrong", "X", [
      { field: "id", message: "is no uuid", nodeID: "n", action: {} },
    ] as never);
    error.type = "VALIDATION_ERROR";
    assert.deepEqual(problemOf(error, "r").problem.faults, [{ field: "id", message: "is no uuid" }]);
  });
});

describe("docs/errors.md", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/errors.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` +\| (\d+) +\| (yes|no) +\| (.+?) +\|$/gm)].map(
    ([, code, status, retry, text]) => ({
      code,
      status: Number(status),
      retryable: retry === "yes",
      text,
    }),
  );
  it("has every error of the table, and no other", () => {
    assert.deepEqual(
      rows,
      (Object.keys(errorTable) as ErrorType[]).map((code) => ({ code, ...errorTable[code] })),
    );
  });
});

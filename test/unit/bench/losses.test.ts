import assert from "node:assert/strict";
import { lossesOf } from "../../../bench/check/losses.ts";
import { atLeast, type Row } from "../../../bench/row.ts";

const ratio = (figure: string, value: number, bench = "chain"): Row => atLeast(bench, figure, "ratio", value, 0.5);
const committed = [ratio("one", 1), ratio("fifty", 0.9), ratio("one", 0.6, "hop")];
const lost = (...rows: Row[]) => lossesOf("chain", rows, committed).map(({ text }) => text);

describe("what a bench has lost against the committed ratios", () => {
  it("is nothing from three quarters of them on, whatever else it shows", () => {
    assert.deepEqual(lost(ratio("one", 0.75), ratio("fifty", 2), ratio("ten", 0)), []);
  });

  it("is a ratio that is worse", () => {
    assert.deepEqual(lost(ratio("one", 0.7), ratio("fifty", 0.9)), ["chain: one is 0.7, it was 1"]);
  });

  it("is one that was not measured, or is no number", () => {
    assert.deepEqual(lost(ratio("fifty", Number.NaN), ratio("one", 1, "hop")), [
      "chain: no such figure: one",
      "chain: fifty is NaN, it was 0.9",
    ]);
  });

  it("is all of it where no ratio of the bench is committed", () => {
    assert.deepEqual(
      lossesOf("site", [ratio("page", 1, "site")], committed).map(({ text }) => text),
      ["site: no ratio of it is committed"],
    );
  });
});

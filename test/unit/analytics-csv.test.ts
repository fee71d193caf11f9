import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import { csvOf } from "../../services/gateway/csv.ts";

describe("a table as CSV", () => {
  it("is read back as what it was, whatever is in a cell", () => {
    const rows = [
      { key: 'a "quoted", b', scores: [1, 2], opened: null, cost: 1.5 },
      { key: "two\r\nlines", scores: [3, 4], opened: null, cost: 0 },
      { key: "", scores: [5, 6], opened: null, cost: 7 },
    ];
    const read = parse(csvOf(rows), { columns: true, record_delimiter: "\r\n" });
    assert.deepEqual(
      read,
      rows.map(({ key, scores, cost }) => ({
        key,
        "scores.0": String(scores[0]),
        "scores.1": String(scores[1]),
        opened: "",
        cost: String(cost),
      })),
    );
  });

  it("has no cell that a spreadsheet takes for a formula", () => {
    const formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil.example","x")'];
    const read = parse(csvOf(formulas.map((key) => ({ key }))), { columns: true, record_delimiter: "\r\n" });
    assert.deepEqual(
      read.map(({ key }: any) => key),
      formulas.map((formula) => `'${formula}`),
    );
  });

  it("is empty where there are no rows", () => {
    assert.equal(csvOf([]), "\r\n");
  });
});

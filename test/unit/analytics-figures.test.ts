import assert from "node:assert/strict";
import { daysBetween, everyDay, figuresOf, inOrder, notMeasuredOf } from "../../services/analytics/figures.ts";
import { columns } from "../../services/analytics/measures.ts";

describe("figures", () => {
  it("share the cost among leads and e-mails, and say null where there are none", () => {
    const some = figuresOf({ taken_in: 3, mailed: 2, cost_micro: 100, scored_0: 1, scored_9: 2 });
    assert.deepEqual(
      [some.costPerLeadMicro, some.costPerMailMicro, some.scored, some.scores],
      [33, 50, 3, [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]],
    );
    const none = figuresOf({ cost_micro: 100, taken_in: null });
    assert.deepEqual([none.takenIn, none.costPerLeadMicro, none.costPerMailMicro], [0, null, null]);
  });

  it("say null of opens where nobody looks and none was told, and else how many there are", () => {
    const opened = (sums: Record<string, number>, openTracking: boolean) => {
      const notMeasured = notMeasuredOf(sums, { openTracking });
      return [notMeasured, figuresOf(sums, notMeasured).opened];
    };
    assert.deepEqual(opened({}, false), [["opened"], null]);
    assert.deepEqual(opened({ opened: 0 }, false), [["opened"], null]);
    assert.deepEqual(opened({ opened: 2 }, false), [[], 2]);
    assert.deepEqual(opened({}, true), [[], 0]);
  });

  it("show every column that is kept", () => {
    const told = JSON.stringify(figuresOf(Object.fromEntries(columns.map((column, n) => [column, 1_000 + n]))));
    for (const [n, column] of columns.entries()) assert.match(told, new RegExp(`\\b${1_000 + n}\\b`), column);
  });

  it("are told of days that there are: the last thirty, or those that are asked for, four hundred at the most", () => {
    assert.deepEqual(daysBetween("2026-02-27", "2026-03-01"), ["2026-02-27", "2026-02-28", "2026-03-01"]);
    assert.deepEqual(
      [daysBetween(undefined, "2026-03-30")!.length, daysBetween(undefined, "2026-03-30")![0]],
      [30, "2026-03-01"],
    );
    assert.equal(daysBetween("2025-01-01", "2026-02-04")!.length, 400);
    for (const [from, to] of [
      ["2025-01-01", "2026-02-05"],
      ["2026-03-02", "2026-03-01"],
      ["2026-02-30", "2026-03-01"],
      [undefined, "2026-13-01"],
    ] as const)
      assert.equal(daysBetween(from, to), null, `${from} ${to}`);
  });

  it("have a row for each day of a curve, also for one that had nothing", () => {
    const days = ["2026-03-01", "2026-03-02"];
    assert.deepEqual(inOrder([{ key: days[1]!, taken_in: 1 }], days), [
      { key: days[0] },
      { key: days[1], taken_in: 1 },
    ]);
    assert.deepEqual(
      everyDay(
        [
          { key: "b", day: days[1], taken_in: 1 },
          { key: "a", day: days[0], taken_in: 2 },
        ],
        days,
      ),
      [
        { key: "b", day: days[0] },
        { key: "b", day: days[1], taken_in: 1 },
        { key: "a", day: days[0], taken_in: 2 },
        { key: "a", day: days[1] },
      ],
    );
  });
});

import assert from "node:assert/strict";
import { loadSettings } from "../../../config/settings.ts";
import { capsOf, chosen } from "../../../services/budget/caps.ts";
import { statusOf } from "../../../services/budget/status.ts";
import { dayOf, levelOf, limitOf, nextWindow, retryAt } from "../../../services/budget/windows.ts";

describe("the windows of a budget", () => {
  it("are UTC's days", () => {
    assert.equal(dayOf(Date.UTC(2026, 10, 23, 23, 59, 59, 999)), "2026-11-23");
    assert.equal(dayOf(Date.UTC(2026, 10, 24)), "2026-11-24");
  });

  it("end at midnight and at the month's end, over the year's end and in February too", () => {
    assert.equal(nextWindow("day", "2026-11-30"), Date.UTC(2026, 11, 1));
    assert.equal(nextWindow("day", "2026-12-31"), Date.UTC(2027, 0, 1));
    assert.equal(nextWindow("month", "2026-12-31"), Date.UTC(2027, 0, 1));
    assert.equal(nextWindow("day", "2028-02-28"), Date.UTC(2028, 1, 29));
    assert.equal(nextWindow("month", "2026-01-31"), Date.UTC(2026, 1, 1));
  });

  it("keep their last tenth for what is essential, to the micro-USD", () => {
    assert.equal(limitOf(50_000_000, true), 50_000_000);
    assert.equal(limitOf(50_000_000, false), 45_000_000);
    assert.equal(limitOf(11, false), 9);
    assert.equal(limitOf(0, false), 0);
  });

  it("reach a level at 75, 90 and 100 %, and none when nothing is used", () => {
    const at = (used: number) => levelOf(used, 1_000);
    assert.deepEqual([0, 749, 750, 899, 900, 999, 1_000, 2_000].map(at), [0, 0, 75, 75, 90, 90, 100, 100]);
    assert.equal(levelOf(0, 0), 0);
  });

  it("are waited for till the last of those that are full is over, and never for what no window can hold", () => {
    const day = { period: "day", provider: "", usedMicro: 95, capMicro: 100 } as const;
    const month = { period: "month", provider: "", usedMicro: 995, capMicro: 1_000 } as const;
    assert.equal(retryAt([day], "2026-11-23", 10, true), Date.UTC(2026, 10, 24));
    assert.equal(retryAt([day, month], "2026-11-23", 10, true), Date.UTC(2026, 11, 1));
    assert.equal(retryAt([day], "2026-11-23", 101, true), null);
    assert.equal(retryAt([day], "2026-11-23", 91, false), null, "nine tenths are all that it may ever use");
  });
});

describe("a tenant's choice", () => {
  const defaults = capsOf(loadSettings({}));

  it("is the design's figures where nothing is chosen", () => {
    assert.deepEqual(defaults, {
      dayMicro: 50_000_000,
      monthMicro: 1_000_000_000,
      providers: { llm: 20_000_000, semrush: 5_000_000, screenshot: 2_000_000, sendgrid: 1_000_000 },
      overBudget: "wait",
    });
    assert.deepEqual(chosen(defaults, undefined), defaults);
  });

  it("goes over them field by field, and counts for nothing where it is no such thing", () => {
    const choice = { dayMicro: 7, monthMicro: "much", providers: { llm: -1, yelp: 5 }, overBudget: "complete" };
    assert.deepEqual(chosen(defaults, choice), {
      ...defaults,
      dayMicro: 7,
      providers: { ...defaults.providers, yelp: 5 },
      overBudget: "complete",
    });
  });

  it("says of its leads one of three things", () => {
    for (const overBudget of ["wait", "complete", "without"])
      assert.equal(chosen(defaults, { overBudget }).overBudget, overBudget);
    for (const overBudget of ["never", "", null, 1]) assert.equal(chosen(defaults, { overBudget }).overBudget, "wait");
  });

  it("shows in the status with what is left and the level of each window", () => {
    const rows = [
      { tenant: "acme", period: "day", provider: "", reservedMicro: 1_000_000, spentMicro: 44_000_000, told: 90 },
      { tenant: "acme", period: "day", provider: "yelp", reservedMicro: 0, spentMicro: 3_000_000, told: 0 },
    ] as const;
    const status = statusOf(rows, undefined, undefined, defaults, "2026-11-23");
    assert.deepEqual(status.today, {
      capMicro: 50_000_000,
      spentMicro: 44_000_000,
      reservedMicro: 1_000_000,
      leftMicro: 5_000_000,
      level: 90,
      until: Date.UTC(2026, 10, 24),
    });
    assert.deepEqual([status.providers["yelp"]!.capMicro, status.providers["yelp"]!.leftMicro], [null, null]);
    assert.deepEqual(Object.keys(status.providers), ["llm", "screenshot", "semrush", "sendgrid", "yelp"]);
    assert.deepEqual([status.month.spentMicro, status.month.level], [0, 0]);
  });
});

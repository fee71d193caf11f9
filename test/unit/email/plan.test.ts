import assert from "node:assert/strict";
import { type Due, dayLimit, type PlanOptions, plan, reasonToStop } from "../../../services/email/plan.ts";
import { afterQuiet, quietHoursOf } from "../../../services/email/quiet-hours.ts";
import { timeZoneOf } from "../../../services/email/time-zones.ts";

const noon = Date.UTC(2026, 10, 23, 18); // 12:00 in Chicago
const due = (domain = "a.example", slotAt: number | null = null, timeZone = "America/Chicago"): Due => ({
  domain,
  timeZone,
  slotAt,
});
const options: PlanOptions = {
  now: noon,
  hands: 100,
  allowance: 100,
  quiet: quietHoursOf("20-8"),
  perMinute: 60,
};
const kinds = (verdicts: ReturnType<typeof plan>) => verdicts.map(({ kind }) => kind);

describe("the plan of what is sent now", () => {
  it("gives the e-mails of one domain moments at even distances, and those of others now", () => {
    const nextAt = new Map<string, number>();
    const list = [due(), due(), due("b.example"), due()];
    const verdicts = plan(list, nextAt, options);
    const later = (ms: number) => ({ kind: "later", until: noon + ms, slotAt: noon + ms });
    assert.deepEqual(verdicts, [{ kind: "claim" }, later(1_000), { kind: "claim" }, later(2_000)]);
    assert.equal(nextAt.get("a.example"), noon + 3_000);
  });

  it("never lets a domain have more than its number in any minute, however the heap comes back", () => {
    const nextAt = new Map<string, number>();
    let waiting: { at: number; slotAt: number | null }[] = Array.from({ length: 500 }, () => ({
      at: noon,
      slotAt: null,
    }));
    const sent: number[] = [];
    for (let now = noon; waiting.length > 0; now += 700) {
      const ready = waiting.filter(({ at }) => at <= now).slice(0, 200);
      const verdicts = plan(
        ready.map(({ slotAt }) => due("a.example", slotAt)),
        nextAt,
        { ...options, now },
      );
      const gone = new Set<object>();
      for (const [n, verdict] of verdicts.entries()) {
        gone.add(ready[n]!);
        if (verdict.kind === "claim") sent.push(now);
        else waiting.push({ at: verdict.until, slotAt: verdict.slotAt });
      }
      waiting = waiting.filter((one) => !gone.has(one));
      assert.ok(now < noon + 3_600_000, "it comes to an end");
    }
    assert.equal(sent.length, 500);
    // Slots are a second apart and a claim is at the most two seconds late.
    const most = Math.max(...sent.map((from) => sent.filter((at) => at >= from && at < from + 60_000).length));
    assert.ok(most <= 63, `${most} in a minute`);
    assert.ok(sent.at(-1)! - noon < 600_000, "and the pace is kept up");
  });

  it("gives a moment that was missed anew: what waited together does not leave together", () => {
    const nextAt = new Map<string, number>();
    const missed = Array.from({ length: 10 }, (_, n) => due("a.example", noon - 60_000 + n));
    assert.deepEqual(kinds(plan(missed, nextAt, options)), ["claim", ...Array(9).fill("later")]);
    assert.deepEqual(kinds(plan([due("a.example", noon - 100)], nextAt, options)), ["claim"]);
  });

  it("ends where hands, or the tenant's day, end", () => {
    const list = Array.from({ length: 9 }, (_, n) => due(`${n}.example`));
    assert.equal(plan(list, new Map(), { ...options, hands: 4 }).length, 4);
    assert.equal(plan(list, new Map(), { ...options, allowance: 2 }).length, 2);
    assert.equal(plan(list, new Map(), { ...options, allowance: -3 }).length, 0);
  });

  it("lets people sleep by their own clock", () => {
    const night = Date.UTC(2026, 10, 24, 3, 30); // 19:30 in Los Angeles, 21:30 in Chicago
    const list = [due("a.example"), due("b.example", null, "America/Los_Angeles")];
    const verdicts = plan(list, new Map(), { ...options, now: night });
    assert.deepEqual(verdicts, [{ kind: "later", until: Date.UTC(2026, 10, 24, 14), slotAt: null }, { kind: "claim" }]);
  });
});

describe("quiet hours", () => {
  const quiet = quietHoursOf("20-8");
  const zone = "America/Chicago";
  it("begin and end on the hour, over midnight", () => {
    const at = (hour: number, minute = 0, second = 0) => Date.UTC(2026, 6, 1, hour + 5, minute, second);
    assert.equal(afterQuiet(at(19, 59, 59), zone, quiet), at(19, 59, 59));
    assert.equal(afterQuiet(at(20), zone, quiet), at(32));
    assert.equal(afterQuiet(at(31, 59, 59) + 999, zone, quiet), at(32));
    assert.equal(afterQuiet(at(32), zone, quiet), at(32));
  });
  it("end at eight in the nights when clocks change", () => {
    // 8 March 2026: CST to CDT at 2:00. 1 November 2026: back.
    assert.equal(afterQuiet(Date.UTC(2026, 2, 8, 4), zone, quiet), Date.UTC(2026, 2, 8, 13));
    assert.equal(afterQuiet(Date.UTC(2026, 10, 1, 4), zone, quiet), Date.UTC(2026, 10, 1, 14));
  });
  it("end at eight where clocks differ by half an hour, and are none where none are set", () => {
    assert.equal(afterQuiet(Date.UTC(2026, 6, 1, 3), "America/St_Johns", quiet), Date.UTC(2026, 6, 1, 10, 30));
    assert.equal(quietHoursOf(""), undefined);
    assert.equal(quietHoursOf("8-8"), undefined);
    assert.equal(afterQuiet(noon, zone, undefined), noon);
  });
  it("may lie within a day", () => {
    const siesta = quietHoursOf("12-14");
    assert.equal(afterQuiet(noon, zone, siesta), noon + 2 * 3_600_000);
    assert.equal(afterQuiet(noon - 1, zone, siesta), noon - 1);
  });
});

describe("a tenant's day", () => {
  it("warms up by 5, 15, 35, 50, 75, 100 and 110 thousand, two days each, then has its own limit", () => {
    const limit = 200_000;
    assert.deepEqual(
      Array.from({ length: 15 }, (_, day) => dayLimit(day, limit) / 1_000),
      [5, 5, 15, 15, 35, 35, 50, 50, 75, 75, 100, 100, 110, 110, 200],
    );
    assert.equal(dayLimit(0, 100), 100);
    assert.equal(dayLimit(30, 0), 0);
  });
});

describe("a tenant is stopped", () => {
  const counts = (sent: number, bounced: number, complained: number) => ({ sent, bounced, complained });
  it("at 2 % bounces or 0.1 % complaints, and is told which, with the figures", () => {
    assert.equal(reasonToStop(counts(1_000, 19, 0)), undefined);
    assert.match(reasonToStop(counts(1_000, 20, 0))!, /^20 of 1000 e-mails .* bounced \(2\.00 %/);
    assert.match(reasonToStop(counts(1_000, 0, 1))!, /^1 of 1000 e-mails .* complained of \(0\.10 %/);
    assert.equal(reasonToStop(counts(1_001, 0, 1)), undefined);
  });
  it("by no fewer than 200 e-mails", () => {
    assert.equal(reasonToStop(counts(199, 199, 199)), undefined);
    assert.ok(reasonToStop(counts(200, 4, 0)));
    assert.equal(reasonToStop(counts(0, 0, 0)), undefined);
  });
});

describe("the time zone of an address", () => {
  for (const [state, zip, zone] of [
    ["IL", "60601", "America/Chicago"],
    ["NY", "10001", "America/New_York"],
    ["FL", "33101", "America/New_York"],
    ["FL", "32501", "America/Chicago"],
    ["IN", "46402", "America/Chicago"],
    ["KY", "42701", "America/New_York"],
    ["KY", "42101", "America/Chicago"],
    ["MI", "49931", "America/New_York"],
    ["SD", "57501", "America/Chicago"],
    ["SD", "57701", "America/Denver"],
    ["NE", "69101", "America/Chicago"],
    ["NE", "69301", "America/Denver"],
    ["TN", "37902", "America/New_York"],
    ["TN", "37201", "America/Chicago"],
    ["TX", "79901", "America/Denver"],
    ["AZ", "85001", "America/Phoenix"],
    ["HI", "96801", "Pacific/Honolulu"],
    ["TX", "", "America/Chicago"],
  ] as const)
    it(`is ${zone} in ${state} ${zip}`, () => assert.equal(timeZoneOf({ state, zip }), zone));
  it("is a Canadian province's, and not known elsewhere", () => {
    assert.equal(timeZoneOf({ state: "BC", zip: "V6B 1A1", country: "CA" }), "America/Vancouver");
    assert.equal(timeZoneOf({ state: "CA", country: "DE" }), undefined);
    assert.equal(timeZoneOf({ zip: "60601" }), undefined);
    assert.equal(timeZoneOf(undefined), undefined);
  });
  it("is one that every runtime knows", () => {
    for (const state of "AL AK AZ AR CA CO CT DC DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH NJ NM NV NY OH OK OR PA PR RI SC SD TN TX UT VA VI VT WA WI WV WY".split(
      " ",
    ))
      assert.doesNotThrow(() => new Intl.DateTimeFormat("en-US", { timeZone: timeZoneOf({ state })! }), state);
  });
});

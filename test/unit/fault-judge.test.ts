import assert from "node:assert/strict";
import { type Cut, doublesApart, isSlower, judgeMails, judgePayments, type Mails, type Paid } from "../fault/judge.ts";

const mail = (n: number, state: string) => ({ leadId: `lead-${n}`, messageId: `<${n}>`, state });
const arrived = (n: number, to = `owner-${n}@x.example`) => ({ messageId: `<${n}>`, to: [to] });
const mails = (more: Partial<Mails>) =>
  judgeMails({ rows: [], received: [], claimedInVain: [], merged: new Set(), mayBeUnknown: 0, ...more });

describe("what a row says of its e-mails", () => {
  it("is well where each was sent once", () => {
    const { lost, doubled } = mails({
      rows: [mail(1, "sent"), mail(2, "sent")],
      received: [arrived(1), arrived(2)],
    });
    assert.deepEqual([lost, doubled], [[], []]);
  });

  it("names one that arrived nowhere, arrived twice, or is in no outbox, and two to one address", () => {
    const { lost, doubled } = mails({
      rows: [mail(1, "sent"), mail(2, "sent"), mail(3, "sent"), mail(4, "written")],
      received: [arrived(2), arrived(2), arrived(3, "owner-2@x.example"), arrived(4), arrived(5)],
    });
    assert.deepEqual(lost, ["e-mail <1> is said to be sent", "e-mail <4> is written for good"]);
    assert.deepEqual(doubled, [
      "e-mail <2> (2 times)",
      "2 e-mails to owner-2@x.example",
      "e-mail <4> was sent and is written",
      "e-mail <5> was sent and is in no outbox",
    ]);
  });

  it("names what was given up, put off or suppressed: the server refuses nothing, and nobody is on a list", () => {
    for (const state of ["failed", "bounced", "suppressed", "written", "claimed", "sending"])
      assert.deepEqual(mails({ rows: [mail(1, state)] }).lost, [`e-mail <1> is ${state} for good`], state);
  });

  it("says of one that arrived and is still in a sender's hands that it is late, not doubled", () => {
    const { lost, doubled } = mails({ rows: [mail(1, "sending")], received: [arrived(1)] });
    assert.deepEqual([lost, doubled], [["e-mail <1> is sending for good"], []]);
  });

  it("lets an e-mail be cancelled where its lead is a double, and nowhere else", () => {
    const rows = [mail(1, "cancelled"), mail(2, "cancelled")];
    assert.deepEqual(mails({ rows, merged: new Set(["lead-1"]) }).lost, ["e-mail <2> is cancelled"]);
  });

  it("lets so many be of unknown fate as the fault cut, whether they arrived or not", () => {
    const rows = [mail(1, "unknown"), mail(2, "unknown")];
    assert.deepEqual(mails({ rows, received: [arrived(1)], mayBeUnknown: 2 }).lost, []);
    assert.deepEqual(mails({ rows, mayBeUnknown: 1 }).lost, ["2 e-mails are of unknown fate, the fault explains 1"]);
    assert.equal(mails({ rows, mayBeUnknown: 1 }).unknown, 2);
  });

  it("names a claim without an e-mail: nobody will write to that address any more", () => {
    assert.equal(mails({ claimedInVain: ["lead-9"] }).lost.length, 1);
  });
});

const site = (leadId: string) => `http://${leadId}.example/`;
/** Runs of one effect, each open for ten of these ms. */
const runs = (leadId: string, ...at: number[]): Paid[] =>
  at.map((reservedAt, n) => ({ effect: `e ${leadId}`, run: n + 1, leadId, reservedAt, closedAt: reservedAt + 10 }));
const calls = (leadId: string, ...failures: string[]) => failures.map((failure) => ({ url: site(leadId), failure }));
const cut = (from: number, to: number, strikes = 1): Cut => ({ what: ["payments"], strikes, from, to });
const payments = (entries: Paid[], made: ReturnType<typeof calls>, cuts: Cut[] = []) =>
  judgePayments({ entries, calls: made, siteOf: (id) => (id === "nobody" ? undefined : site(id)), cuts });

describe("what a row says of its payments", () => {
  it("is well where each call stands in the ledger, and what cost nothing in neither", () => {
    const told = payments(runs("a", 0), [...calls("a", "500", "429", "none")]);
    assert.deepEqual(told, { doubled: [], repeated: 0 });
  });

  it("names a call that is in no ledger, though that holds as many payments as there were calls", () => {
    const told = payments([...runs("a", 0), ...runs("b", 0)], calls("a", "none", "none"));
    assert.deepEqual(told.doubled, [`1 paid calls for ${site("a")} are in no ledger`]);
  });

  it("names a call for a site that is nobody's", () => {
    assert.equal(payments(runs("nobody", 0), calls("a", "none")).doubled.length, 1);
  });

  it("names a payment that was made again for no reason", () => {
    const told = payments(runs("a", 0, 50), calls("a", "none", "none"));
    assert.deepEqual(told.doubled, ["e a was paid 2 times, 1 of them for no reason"]);
    assert.equal(told.repeated, 1);
  });

  it("lets one be made again that a fault cut, once a strike", () => {
    const made = calls("a", "none", "none", "none");
    assert.deepEqual(payments(runs("a", 0, 50), made.slice(1), [cut(5, 20)]).doubled, []);
    assert.deepEqual(payments(runs("a", 0, 50, 70), made, [cut(5, 100, 2)]).doubled, []);
    assert.equal(payments(runs("a", 0, 50, 70), made, [cut(5, 100)]).doubled.length, 1);
  });

  it("lets none be made again that was paid before the fault, or begun after it", () => {
    const made = calls("a", "none", "none");
    assert.equal(payments(runs("a", 0, 50), made, [cut(11, 20)]).doubled.length, 1);
    assert.equal(payments(runs("a", 30, 50), made, [cut(11, 20)]).doubled.length, 1);
  });

  it("lets one be made again for each answer that was none", () => {
    const made = calls("a", "another shape", "slow", "none");
    assert.deepEqual(payments(runs("a", 0, 50, 70), made).doubled, []);
    assert.equal(
      payments([...runs("a", 0, 50, 70), ...runs("b", 0, 50)], [...made, ...calls("b", "none")]).doubled.length,
      1,
    );
  });
});

describe("doubles", () => {
  it("are found where both end as one lead, over however many merges", () => {
    const winners = new Map([
      ["a", "b"],
      ["b", "c"],
      ["d", "c"],
    ]);
    assert.deepEqual(doublesApart([{ id: "a", of: "d" }], winners), []);
    assert.deepEqual(doublesApart([{ id: "a", of: "c" }], winners), []);
    assert.deepEqual(doublesApart([{ id: "a", of: "e" }], winners), ["a is a double of e"]);
  });

  it("are looked for in a circle of merges only once", () => {
    const circle = new Map([
      ["a", "b"],
      ["b", "a"],
    ]);
    assert.equal(doublesApart([{ id: "a", of: "e" }], circle).length, 1);
  });
});

describe("answers", () => {
  it("are slower when they take more than so many times as long, but for those of a few milliseconds", () => {
    assert.ok(isSlower(20, 61, 3));
    assert.ok(!isSlower(20, 60, 3));
    assert.ok(!isSlower(1, 30, 3));
    assert.ok(isSlower(1, 31, 3));
  });
});

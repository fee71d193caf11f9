import assert from "node:assert/strict";
import { Capacity } from "../../../mixins/actor/capacity.ts";
import { RecentRate } from "../../../mixins/actor/recent.ts";

describe("what a busy instance completes", () => {
  it("is unknown until it ever was busy, and is never NaN", () => {
    const capacity = new Capacity(2);
    assert.equal(capacity.perSecond, null);
    capacity.mark(0, 0, 0);
    capacity.mark(60_000, 10, 0);
    assert.equal(capacity.perSecond, null);
  });

  it("is the rate of full places, however little each batch computes", () => {
    const capacity = new Capacity(2);
    capacity.mark(0, 0, 2);
    for (let at = 1_000; at <= 10_000; at += 1_000) capacity.mark(at, at / 100, 2, 100);
    assert.equal(Math.round(capacity.perSecond!), 100);
  });

  it("counts one batch of forty places as a fortieth of being busy", () => {
    const capacity = new Capacity(40);
    capacity.mark(0, 0, 1);
    // A lead a second, and nearly all of it waiting: forty at once would be forty a second.
    for (let at = 1_000; at <= 20_000; at += 1_000) capacity.mark(at, 0, 1, 1);
    assert.equal(Math.round(capacity.perSecond!), 40);
    assert.equal(Math.round(capacity.totalSeconds * 10), 5);
  });

  it("counts a full event loop as busy, whatever the places say", () => {
    const capacity = new Capacity(40);
    capacity.mark(0, 0, 1);
    for (let at = 100; at <= 5_000; at += 100) capacity.mark(at, at, 1, 50);
    assert.equal(Math.round(capacity.perSecond!), 500);
  });

  it("is kept while it is idle, and follows within minutes of being busy", () => {
    const capacity = new Capacity(1);
    let at = 0;
    const work = (seconds: number, rate: number) => {
      capacity.mark(at, 0, 1);
      for (let second = 0; second < seconds; second++) {
        at += 1_000;
        capacity.mark(at, 0, 1, rate);
      }
      capacity.mark(at, 0, 0);
    };
    work(120, 50);
    assert.equal(Math.round(capacity.perSecond!), 50);
    at += 86_400_000;
    capacity.mark(at, 0, 0);
    assert.equal(Math.round(capacity.perSecond!), 50);
    work(300, 10);
    assert.ok(capacity.perSecond! < 10.5, `${capacity.perSecond}`);
  });
});

describe("a recent rate", () => {
  it("is of the last half minute", () => {
    const rate = new RecentRate();
    assert.equal(rate.at(0, 0), 0);
    for (let at = 1_000; at <= 60_000; at += 1_000) rate.at(at, at / 10);
    assert.equal(Math.round(rate.at(61_000, 6_100)), 100);
    for (let at = 62_000; at <= 100_000; at += 1_000) rate.at(at, 6_100);
    assert.equal(rate.at(101_000, 6_100), 0);
  });
});

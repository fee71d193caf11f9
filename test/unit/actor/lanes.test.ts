import assert from "node:assert/strict";
import type { Lane } from "../../../config/names.ts";
import { Lanes } from "../../../mixins/actor/lanes.ts";
import type { Delivery } from "../../../mixins/actor/puller.ts";

const rules = { batchLeads: 100, bulkLeads: () => 100, lingerMs: 10, concurrency: 2, places: 3 };
const delivery = (count: number, receivedAt = 0) => ({ count, receivedAt }) as Delivery;
const leads = (deliveries: Delivery[]) => deliveries.reduce((sum, { count }) => sum + count, 0);
const idle = { live: 0, bulk: 0 };

describe("the lanes of a stage", () => {
  it("make a batch of whole envelopes, up to the batch's leads", () => {
    const lanes = new Lanes(rules);
    for (const count of [50, 40, 20, 5]) lanes.push("bulk", delivery(count));
    const first = lanes.next(0, idle);
    assert.ok(first && "deliveries" in first);
    assert.deepEqual(
      first.deliveries.map(({ count }) => count),
      [50, 40],
    );
    const second = lanes.next(100, idle);
    assert.ok(second && "deliveries" in second);
    assert.equal(leads(second.deliveries), 25);
    assert.equal(lanes.next(200, idle), null);
  });

  it("ask how many leads a bulk batch holds each time, and leave the live ones as they are", () => {
    let bulkLeads = 100;
    const lanes = new Lanes({ ...rules, lingerMs: 1_000, bulkLeads: () => bulkLeads });
    const push = (lane: Lane, envelopes: number) => {
      for (let n = 0; n < envelopes; n++) lanes.push(lane, delivery(50));
    };
    const next = () => {
      const batch = lanes.next(0, idle);
      return batch && ("deliveries" in batch ? leads(batch.deliveries) : batch);
    };
    push("bulk", 4);
    assert.equal(next(), 100);
    bulkLeads = 250;
    assert.deepEqual(next(), { waitMs: 1_000 });
    push("bulk", 4);
    assert.equal(next(), 250);
    push("live", 4);
    assert.equal(next(), 100);
    bulkLeads = 50;
    assert.equal(next(), 100);
    assert.equal(next(), 50);
  });

  it("take an envelope that is larger than a batch as a batch of its own", () => {
    const lanes = new Lanes({ ...rules, bulkLeads: () => 10 });
    lanes.push("bulk", delivery(50));
    lanes.push("bulk", delivery(50));
    const next = lanes.next(0, idle);
    assert.ok(next && "deliveries" in next);
    assert.equal(next.deliveries.length, 1);
  });

  it("let a bulk batch linger for more, a full one go at once, and a live one never wait", () => {
    const lanes = new Lanes(rules);
    lanes.push("bulk", delivery(50, 1_000));
    assert.deepEqual(lanes.next(1_004, idle), { waitMs: 6 });
    lanes.push("live", delivery(1, 1_004));
    assert.equal((lanes.next(1_004, idle) as { lane: Lane }).lane, "live");
    assert.equal((lanes.next(1_010, idle) as { lane: Lane }).lane, "bulk");
    lanes.push("bulk", delivery(50, 2_000));
    lanes.push("bulk", delivery(50, 2_001));
    assert.equal((lanes.next(2_001, idle) as { lane: Lane }).lane, "bulk");
  });

  it("let a bulk batch linger longer while more is on its way, from the last that came", () => {
    const lanes = new Lanes(rules);
    lanes.push("bulk", delivery(30, 1_000));
    lanes.push("bulk", { ...delivery(30, 1_020), more: true });
    assert.deepEqual(lanes.next(1_040, idle), { waitMs: 30 });
    assert.equal((lanes.next(1_070, idle) as { lane: Lane }).lane, "bulk");
    lanes.push("bulk", { ...delivery(60, 2_000), more: true });
    lanes.push("bulk", delivery(30, 2_005));
    assert.deepEqual(lanes.next(2_005, idle), { waitMs: 5 });
  });

  it("do not linger while the stage drains", () => {
    const lanes = new Lanes(rules);
    lanes.push("bulk", delivery(1, 1_000));
    assert.equal((lanes.next(1_000, idle, true) as { lane: Lane }).lane, "bulk");
  });

  it("keep one place free of bulk", () => {
    const lanes = new Lanes(rules);
    for (let n = 0; n < 10; n++) lanes.push("bulk", delivery(100));
    assert.equal(lanes.next(0, { live: 0, bulk: 2 }), null);
    lanes.push("live", delivery(1));
    assert.equal((lanes.next(0, { live: 0, bulk: 2 }) as { lane: Lane }).lane, "live");
    lanes.push("live", delivery(1));
    assert.equal(lanes.next(0, { live: 1, bulk: 2 }), null);
  });

  it("give live all places there are, and bulk no more than its own", () => {
    const lanes = new Lanes({ ...rules, places: 10 });
    for (let n = 0; n < 2; n++) lanes.push("bulk", delivery(100));
    assert.equal(lanes.next(0, { live: 3, bulk: 2 }), null);
    lanes.push("live", delivery(1));
    assert.equal((lanes.next(0, { live: 7, bulk: 2 }) as { lane: Lane }).lane, "live");
    lanes.push("live", delivery(1));
    assert.equal(lanes.next(0, { live: 8, bulk: 2 }), null);
  });

  for (const concurrency of [1, 2, 8]) {
    it(`give bulk a tenth of the batches in a flood of live, with ${concurrency} at once`, () => {
      const lanes = new Lanes({ ...rules, concurrency, places: concurrency + 1 });
      const running = { live: 0, bulk: 0 };
      const batches: Lane[] = [];
      const inWork: Lane[] = [];
      for (let n = 0; n < 1_000; n++) {
        while (batches.length < 1_000) {
          lanes.push("live", delivery(100));
          lanes.push("bulk", delivery(100));
          const next = lanes.next(n * 1_000, running);
          if (!next || "waitMs" in next) break;
          running[next.lane]++;
          inWork.push(next.lane);
          batches.push(next.lane);
        }
        // One ends at a time, so that there is never more than one place free: the worst case for bulk.
        running[inWork.shift()!]--;
      }
      const bulk = batches.filter((lane) => lane === "bulk").length;
      assert.ok(bulk >= 99 && bulk <= 200, `${bulk} of ${batches.length}`);
    });
  }

  it("hand out all they hold when cleared, and are empty then", () => {
    const lanes = new Lanes(rules);
    lanes.push("live", delivery(1));
    lanes.push("bulk", delivery(100));
    assert.equal(lanes.clear().length, 2);
    assert.deepEqual(lanes.clear(), []);
    assert.equal(lanes.next(0, idle), null);
  });
});

import assert from "node:assert/strict";
import { Growths, type Told } from "../../../mixins/metrics/bridge.ts";

const told = (began: number, count: number): Told[] => [
  { type: "gauge", name: "leads_process_start_time_seconds", values: [{ labels: {}, value: began }] },
  { type: "counter", name: "leads_outcomes_total", values: [{ labels: { stage: "score" }, value: count }] },
];
const grown = (growths: Growths, node: string, began: number, count: number, now = 0) =>
  growths.take(node, told(began, count), now).find(({ name }) => name === "leads_outcomes_total")?.by;

describe("the counters of the cluster", () => {
  it("grow by what each node's grew by", () => {
    const growths = new Growths(100);
    assert.equal(grown(growths, "a", 101, 5), 5);
    assert.equal(grown(growths, "a", 101, 12), 7);
    assert.equal(grown(growths, "b", 102, 3), 3);
    assert.equal(grown(growths, "a", 101, 12), 0);
  });

  it("take all that a node counted which began anew under its old name, also when it counted more than before", () => {
    const growths = new Growths(100);
    grown(growths, "a", 101, 5);
    assert.equal(grown(growths, "a", 110, 3), 3);
    assert.equal(grown(growths, "a", 120, 400), 400);
    assert.equal(grown(growths, "a", 120, 401), 1);
  });

  it("do not take what a node had counted before anybody listened here", () => {
    const growths = new Growths(100);
    assert.equal(grown(growths, "old", 50, 1_000_000), 0);
    assert.equal(grown(growths, "old", 50, 1_000_010), 10);
  });

  it("take a node that was cut off for a while where it was", () => {
    const growths = new Growths(100);
    grown(growths, "a", 101, 5, 0);
    assert.equal(grown(growths, "a", 101, 50, 600_000), 45);
  });

  it("show a histogram as its buckets, its sum and its count", () => {
    const growths = new Growths(100);
    const [start] = told(101, 0);
    const values = [{ labels: { lane: "live" }, count: 3, sum: 1.5, buckets: { 0.5: 2, 2.5: 3 } }];
    const all = growths.take("a", [start!, { type: "histogram", name: "leads_x_seconds", values }], 0);
    assert.deepEqual(
      all.map(({ name, labels, by }) => [name, labels["le"] ?? "", by]),
      [
        ["leads_x_seconds_bucket", "0.5", 2],
        ["leads_x_seconds_bucket", "2.5", 3],
        ["leads_x_seconds_bucket", "+Inf", 3],
        ["leads_x_seconds_sum", "", 1.5],
        ["leads_x_seconds_count", "", 3],
      ],
    );
  });

  it("take nothing from what does not say when it began", () => {
    assert.deepEqual(new Growths(0).take("a", [told(0, 5)[1]!], 0), []);
  });
});

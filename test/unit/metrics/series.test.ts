import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import { meterOf } from "../../../mixins/metrics.ts";

describe("a value that was met many times", () => {
  it("is counted as if each had been told", () => {
    const told = [1, 3].map((times) => {
      const broker = new ServiceBroker({ logger: false, metrics: true });
      broker.metrics.register({
        type: "histogram",
        name: "leads_end_to_end_seconds",
        labelNames: ["lane"],
        buckets: [0.05, 1, 10],
      } as never);
      const meter = meterOf(broker);
      for (const value of [0.05, 0.5, 100])
        for (let n = 0; n < 3; n += times) meter.observe("leads_end_to_end_seconds", { lane: "bulk" }, value, times);
      const [series] = broker.metrics.getMetric("leads_end_to_end_seconds")!.snapshot() as unknown as object[];
      const { count, sum, buckets } = series as { count: number; sum: number; buckets: object };
      return { count, sum: sum.toFixed(6), buckets };
    });
    assert.deepEqual(told[1], told[0]);
    assert.deepEqual(told[0], { count: 9, sum: "301.650000", buckets: { "0.05": 3, "1": 6, "10": 6 } });
  });
});

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { newTraceId, placeOf, readTraceparent, splitTraceparent, writeTraceparent } from "../../../mixins/trace/ids.ts";

describe("the share of traces that are exported", () => {
  it("is the share that was asked for, and the same trace's answer is always the same", () => {
    const ids = Array.from({ length: 50_000 }, newTraceId);
    for (const share of [0.01, 0.1, 0.5]) {
      const sampled = ids.filter((id) => placeOf(id) < share).length / ids.length;
      // Five standard deviations.
      assert.ok(
        Math.abs(sampled - share) < 5 * Math.sqrt((share * (1 - share)) / ids.length),
        `${sampled} of ${share}`,
      );
    }
    assert.equal(placeOf("4bf92f3577b34da6a3ce929d0e0e4736"), placeOf("4bf92f3577b34da6a3ce929d0e0e4736"));
  });

  it("is held by ids that differ in their last digits alone, or their first", () => {
    const rest = randomBytes(12).toString("hex");
    for (const idOf of [(n: string) => rest + n, (n: string) => n + rest]) {
      const ids = Array.from({ length: 20_000 }, (_, n) => idOf(n.toString(16).padStart(8, "0")));
      const sampled = ids.filter((id) => placeOf(id) < 0.1).length / ids.length;
      assert.ok(Math.abs(sampled - 0.1) < 0.015, String(sampled));
    }
  });

  it("leaves none out where it is one, and takes none where it is nothing", () => {
    for (let n = 0; n < 1_000; n++) {
      const place = placeOf(newTraceId());
      assert.ok(place >= 0 && place < 1);
    }
  });
});

describe("a traceparent of ours", () => {
  it("is read as it was written, by us and by whoever knows W3C's form", () => {
    const [traceId, spanId] = [newTraceId(), randomBytes(8).toString("hex")];
    for (const sampled of [true, false]) {
      const written = writeTraceparent(traceId, spanId, sampled);
      assert.deepEqual(splitTraceparent(written), { traceId, parentId: spanId });
      assert.deepEqual(readTraceparent(written), { traceId, parentId: spanId });
    }
    assert.equal(splitTraceparent(""), null);
  });
});

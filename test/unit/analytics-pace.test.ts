import assert from "node:assert/strict";
import { type Look, paceAfter } from "../../services/analytics/pace.ts";

const options = { everyMs: 1_000, busyMs: 5_000, batch: 40_000 };
const paced = (look: Partial<Look>) =>
  paceAfter({ taken: 0, batch: 40_000, restedMs: 1_000, spentMs: 100, failed: false, ...look }, options);

describe("the pace at which leads are counted", () => {
  it("is a look a second where little happens, and one in five while an import runs", () => {
    assert.equal(paced({}).restMs, 1_000);
    assert.equal(paced({ taken: 999 }).restMs, 1_000);
    assert.equal(paced({ taken: 1_000 }).restMs, 5_000);
    assert.equal(paced({ taken: 24_000, restedMs: 5_000 }).restMs, 5_000);
    assert.equal(paced({ taken: 4_999, restedMs: 5_000 }).restMs, 1_000, "it is over");
    assert.equal(paced({ taken: 30, restedMs: 5 }).restMs, 1_000, "a few, and little rest before");
  });

  it("rests three times as long as it counted while more is noted than it took", () => {
    assert.equal(paced({ taken: 40_000, spentMs: 800 }).restMs, 2_400);
    assert.equal(paced({ taken: 500, batch: 500, spentMs: 40 }).restMs, 120);
  });

  it("takes half as many notes after a look that took long or failed, and twice as many where that is short", () => {
    let batch = options.batch;
    const sizes = (look: Partial<Look>, times: number) =>
      Array.from({ length: times }, () => (batch = paced({ taken: batch, batch, ...look }).batch));
    assert.deepEqual(sizes({ spentMs: 1_001 }, 3), [20_000, 10_000, 5_000]);
    assert.deepEqual(sizes({ taken: 0, failed: true, spentMs: 1 }, 5), [2_500, 1_250, 625, 500, 500]);
    assert.deepEqual(sizes({ spentMs: 300 }, 1), [500], "not so short");
    assert.deepEqual(sizes({ taken: 400, spentMs: 10 }, 1), [500], "nothing was left");
    assert.deepEqual(sizes({ spentMs: 100 }, 8), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 40_000, 40_000]);
  });
});

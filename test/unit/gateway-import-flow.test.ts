import assert from "node:assert/strict";
import { ImportsSeen, importFlow } from "../../services/gateway/import-flow.ts";

const none = { completed: 0, merged: 0, rejected: 0, dead: 0, discarded: 0, erased: 0 };

describe("how far an import is", () => {
  it("counts what is accepted and not booked yet as in progress, and once all is booked as repeated", () => {
    const seen = { about: false, states: { in_progress: 10, completed: 70, merged: 5 }, bookedUntil: 1_000 };
    const counted = { about: false, ...none, completed: 70, merged: 5 };
    assert.deepEqual(importFlow({ accepted: 100, toldAt: 1_000 }, seen), { ...counted, inProgress: 25, repeated: 0 });
    assert.deepEqual(importFlow({ accepted: 100, toldAt: 999 }, seen), { ...counted, inProgress: 10, repeated: 15 });
  });

  it("tells nothing of an import of nothing, and all of one that was sent again", () => {
    const nothing = { about: false, ...none, inProgress: 0, repeated: 0 };
    assert.deepEqual(importFlow({ accepted: 0, toldAt: 1 }, { about: false, states: {}, bookedUntil: 2 }), nothing);
    const whole = { about: false, states: { completed: 80, erased: 1 }, bookedUntil: 0 };
    assert.deepEqual(importFlow({ accepted: 10, toldAt: 1 }, whole), { ...nothing, completed: 80, erased: 1 });
  });

  it("brings a sample to what was accepted, unless it tells of far fewer", () => {
    const seen = { about: true, states: { in_progress: 5_050, completed: 3_333, dead: 1_717 }, bookedUntil: 2 };
    const flow = importFlow({ accepted: 10_000, toldAt: 1 }, seen);
    assert.deepEqual(flow, { about: true, ...none, inProgress: 5_000, completed: 3_300, dead: 1_700, repeated: 0 });
    const half = importFlow({ accepted: 20_000, toldAt: 1 }, seen);
    assert.deepEqual([half.inProgress, half.completed, half.repeated], [5_050, 3_333, 9_900]);
  });
});

describe("what the record said of imports", () => {
  const imports = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ tenant: "acme", importId: `import ${n}`, toldAt: 1 }));
  const over = { about: false, states: { completed: 1 }, bookedUntil: 2 };
  const moving = { about: false, states: { completed: 1, in_progress: 1 }, bookedUntil: 2 };
  /** Which were asked about by a look. */
  const asked = async (seen: ImportsSeen, all: ReturnType<typeof imports>, now: number, answer: object) => {
    const ids: string[] = [];
    await seen.look(all, now, async ({ importId }) => {
      ids.push(importId);
      return answer as typeof over;
    });
    return ids.length;
  };

  it("is asked anew in two seconds while leads are under way or not booked, in a minute when all have ended", async () => {
    const seen = new ImportsSeen();
    const [one] = imports(1);
    for (const [now, answer, count] of [
      [10_000, moving, 1],
      [11_999, moving, 0],
      [12_000, { ...over, bookedUntil: 1 }, 1],
      [14_000, over, 1],
      [73_999, over, 0],
      [74_000, over, 1],
    ] as const)
      assert.equal(await asked(seen, [one!], now, answer), count, String(now));
  });

  it("is asked about eight at a time, each in its turn, and by two who look at once about none twice", async () => {
    const seen = new ImportsSeen();
    const all = imports(20);
    const twice = await Promise.all([asked(seen, all, 10_000, moving), asked(seen, all, 10_000, moving)]);
    assert.deepEqual(twice, [8, 8]);
    assert.equal(await asked(seen, all, 10_001, moving), 4);
    assert.ok(all.every((one) => seen.of(one)));
  });

  it("stands while the record does not answer", async () => {
    const seen = new ImportsSeen();
    const [one] = imports(1);
    await asked(seen, [one!], 10_000, moving);
    await seen.look([one!], 20_000, () => Promise.reject(new Error("away")));
    assert.deepEqual(seen.of(one!), moving);
  });
});

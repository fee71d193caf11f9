import assert from "node:assert/strict";
import { bisect } from "../../../mixins/actor/split.ts";

const never = () => false;

describe("splitting a batch that failed", () => {
  const batch = Array.from({ length: 250 }, (_, n) => n);

  it("runs a good batch once", async () => {
    let runs = 0;
    const results = await bisect(
      batch,
      async (part) => {
        runs++;
        return part.map((n) => n * 2);
      },
      never,
    );
    assert.equal(runs, 1);
    assert.deepEqual(
      results,
      batch.map((n) => ({ result: n * 2 })),
    );
  });

  for (const culprit of [0, 77, 124, 125, 249]) {
    it(`finds culprit ${culprit} of 250 in at most 17 runs, and keeps the order of the others`, async () => {
      let runs = 0;
      const results = await bisect(
        batch,
        async (part) => {
          runs++;
          if (part.includes(culprit)) throw new Error("bad");
          return part;
        },
        never,
      );
      assert.ok(runs <= 17, `${runs} runs`);
      for (const [n, result] of results.entries()) {
        if (n === culprit) assert.equal((result as { error: Error }).error.message, "bad");
        else assert.deepEqual(result, { result: n });
      }
    });
  }

  it("finds several culprits, and costs less than two runs an item when all are bad", async () => {
    let runs = 0;
    const bad = async (): Promise<number[]> => {
      runs++;
      throw new Error("bad");
    };
    const results = await bisect(batch, bad, never);
    assert.ok(results.every((result) => "error" in result));
    assert.equal(runs, 2 * 250 - 1);
  });

  it("lets a fatal error through at once", async () => {
    let runs = 0;
    const stop = new Error("stop");
    const run = async (): Promise<number[]> => {
      runs++;
      throw stop;
    };
    await assert.rejects(
      bisect(batch, run, (error) => error === stop),
      stop,
    );
    assert.equal(runs, 1);
  });

  it("makes an Error of whatever was thrown", async () => {
    const [result] = await bisect(
      [1],
      async (): Promise<number[]> => {
        throw "a string";
      },
      never,
    );
    assert.equal((result as { error: Error }).error.message, "a string");
  });
});

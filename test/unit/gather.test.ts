import assert from "node:assert/strict";
import { outage } from "../../mixins/errors.ts";
import { Gatherer } from "../../mixins/gather.ts";

/** A gatherer whose batches end when the test says so. */
function slow(answer: (item: string) => string | undefined = (item) => item.toUpperCase(), most = 10) {
  const batches: { items: readonly string[]; end(): void }[] = [];
  const gatherer = new Gatherer<string, string>({
    most,
    nameOf: (item) => item[0]!,
    run: (items) =>
      new Promise((resolve, reject) => {
        const end = () => {
          try {
            resolve(items.map(answer));
          } catch (error) {
            reject(error);
          }
        };
        batches.push({ items, end });
      }),
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  /** Ends batch after batch; returns what was in them. */
  const all = async () => {
    for (let n = 0; n < batches.length; n++) {
      batches[n]!.end();
      await turn();
    }
    return batches.map(({ items }) => items.join(" "));
  };
  return { gatherer, batches, all };
}

describe("what is gathered", () => {
  it("goes at once where nothing is under way, and together where something is", async () => {
    const { gatherer, all } = slow();
    const answers = Promise.all(["a1", "b1", "c1"].map((item) => gatherer.ask("one", item)));
    assert.deepEqual(await all(), ["a1", "b1 c1"]);
    assert.deepEqual(await answers, ["A1", "B1", "C1"]);
  });

  it("waits for nobody of another key", async () => {
    const { gatherer, batches, all } = slow();
    const answers = Promise.all([gatherer.ask("one", "a1"), gatherer.ask("two", "a2")]);
    assert.deepEqual(
      batches.map(({ items }) => items),
      [["a1"], ["a2"]],
    );
    await all();
    assert.deepEqual(await answers, ["A1", "A2"]);
  });

  it("never holds two of one name, nor more than the most, and keeps their order", async () => {
    const { gatherer, all } = slow(undefined, 3);
    const answers = Promise.all(["x", "a1", "a2", "b1", "c1", "d1"].map((item) => gatherer.ask("one", item)));
    assert.deepEqual(await all(), ["x", "a1 b1 c1", "a2 d1"]);
    await answers;
  });

  it("is asked again before all others where there was no answer", async () => {
    const refused = new Set(["b1"]);
    const { gatherer, all } = slow((item) => (refused.delete(item) ? undefined : item));
    const answers = Promise.all(["a1", "b1", "c1"].map((item) => gatherer.ask("one", item)));
    assert.deepEqual(await all(), ["a1", "b1 c1", "b1"]);
    assert.deepEqual(await answers, ["a1", "b1", "c1"]);
  });

  it("fails alone where one is to blame, and together in an outage", async () => {
    const { gatherer, all } = slow((item) => {
      if (item === "b1") throw new Error("b1 is bad");
      if (item === "d1") throw outage("postgres", new Error("gone"));
      return item;
    });
    const settled = Promise.allSettled(["a1", "b1", "c1"].map((item) => gatherer.ask("one", item)));
    assert.deepEqual(await all(), ["a1", "b1 c1", "b1", "c1"]);
    assert.deepEqual(
      (await settled).map((one) => (one.status === "rejected" ? one.reason.message : one.value)),
      ["a1", "b1 is bad", "c1"],
    );
    const out = Promise.allSettled(["x", "c1", "d1", "e1"].map((item) => gatherer.ask("one", item)));
    assert.equal((await all()).at(-1), "c1 d1 e1");
    assert.deepEqual(
      (await out).map(({ status }) => status),
      ["fulfilled", "rejected", "rejected", "rejected"],
    );
  });
});

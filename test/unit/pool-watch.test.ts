import assert from "node:assert/strict";
import { type PoolNews, PoolWatch, poolText } from "../../mixins/pool-watch.ts";

const now = 1_000_000;
const news = (given: Partial<PoolNews> = {}): PoolNews => ({
  nodeID: "a",
  database: "main",
  limit: 6,
  waiting: 4,
  since: now - 9_000,
  ...given,
});

describe("which pools are used up", () => {
  it("is what each process says last, until it serves again, ends, or says nothing more", () => {
    const watch = new PoolWatch();
    const nodes = (at: number) => watch.usedUp(at).map(({ nodeID }) => nodeID);
    for (const nodeID of ["a", "b", "c"]) watch.hear(news({ nodeID }), now);
    watch.hear(news({ nodeID: "a", since: null }), now + 10);
    watch.forget("b");
    assert.deepEqual(nodes(now + 10), ["c"]);
    watch.hear(news({ nodeID: "c" }), now + 1_000);
    assert.deepEqual(nodes(now + 6_000), ["c"]);
    assert.deepEqual(nodes(now + 6_001), []);
  });

  it("is said without a name of a host", () => {
    const text = poolText({ ...news({ nodeID: "db-host-7" }), since: now - 9_000 }, now);
    assert.match(text, /all 6 connections are taken, 4 wait for one, nobody was given one for 9 s$/);
    assert.doesNotMatch(text, /host/);
  });
});

import assert from "node:assert/strict";
import { join } from "node:path";
import { clocks } from "./clock.ts";
import { type Result, runRow } from "./driver.ts";
import { rows } from "./rows.ts";
import { World } from "./world.ts";

/** The driver is worth what it finds: each of these bugs, which the product does not have, must turn a row red. */
describe("the fault driver, on a mesh with a planted bug", function () {
  this.timeout(180_000);
  let world: World;
  before(async () => {
    world = await World.start({ clock: clocks.short, cluster: false, build: false, log: () => {} });
  });
  after(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  /** Runs a row while `node` has the bug. */
  async function withBug(node: string, file: string, row: string): Promise<Result> {
    await world.restart(node, [join(import.meta.dirname, file)]);
    try {
      return await runRow(world, rows.find(({ name }) => name === row)!, {
        seed: 7,
        leads: 300,
        quietMs: 30_000,
        log: () => {},
      });
    } finally {
      await world.restart(node, []);
    }
  }

  it("sees that leads are lost when a stage acknowledges before it commits", async () => {
    const { holds, lost, why } = await withBug("dedupe", "bugs/acknowledge-first.ts", "dedupe-kill");
    assert.ok(!holds && lost > 0, why.join("\n"));
  });

  it("sees that e-mails are doubled when a sender claims them after it has sent them", async () => {
    const { holds, doubled, why } = await withBug("sender", "bugs/claim-late.ts", "sender-kill");
    assert.ok(!holds && doubled > 0, why.join("\n"));
  });

  it("sees that a lead is lost when its dead letter is dropped", async () => {
    const { holds, lost, why } = await withBug("enrich", "bugs/no-dead-letter.ts", "redis-kill");
    assert.ok(!holds && lost > 0, why.join("\n"));
  });
});

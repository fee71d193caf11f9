import assert from "node:assert/strict";
import { join } from "node:path";
import { seedVariable } from "../../bin/test/counts.ts";
import { shortClock } from "./clock.ts";
import { type Result, runRow } from "./driver.ts";
import { type Row, shortRows, windows } from "./rows.ts";
import { World } from "./world.ts";

const leads = 150;
/** Another one for each `npm test`: a failure says which. */
const seed = Number(process.env[seedVariable] ?? Math.floor(Math.random() * 1_000_000));
const silent = () => {};
/** Much longer than a quiet machine takes. */
const quietMs = 150_000;

/** What a failure is to say: why, and how it is run again. */
const told = ({ fault, why }: Result): string =>
  `${why.join("\n")}\nnpm run test:fault -- ${fault} --short --seed ${seed} --leads ${leads}`;

/** The short form of `npm run test:fault`: each kind of fault once, on shortened clocks. */
describe("a mesh in which everything breaks", function () {
  this.timeout(300_000);
  let world: World | undefined;
  const stop = async () => {
    await world?.[Symbol.asyncDispose]();
    world = undefined;
  };
  const given = async (cluster: boolean): Promise<World> => {
    if (world && world.cluster !== cluster) await stop();
    world ??= await World.start({ clock: shortClock(cluster), cluster, build: false, log: silent });
    return world;
  };
  after(stop);

  const holds = async (row: Row): Promise<void> => {
    const result = await runRow(await given(row.cluster ?? false), row, { seed, leads, quietMs, log: silent });
    // What a row has left broken is not the next one's to mend.
    if (!result.holds) await stop();
    assert.ok(result.holds, told(result));
  };

  for (const row of shortRows.filter(({ cluster }) => !cluster))
    it(`loses and doubles nothing: ${row.what}`, () => holds(row));

  /**
   * The driver is worth what it finds: bugs that the product does not have, each of which must turn its row red. The kill
   * comes exactly where the bug has its window; without it the very same kills are among those of the rows above.
   */
  describe("and in which one process has a planted bug", () => {
    let buggy: string | undefined;
    async function withBug(node: string, file: string, row: Row): Promise<Result> {
      const mesh = await given(false);
      if (buggy !== undefined && buggy !== node) await mesh.restart(buggy, []);
      buggy = node;
      await mesh.restart(node, [join(import.meta.dirname, file)]);
      const result = await runRow(mesh, row, { seed, leads, quietMs, log: silent });
      // Red because of what the bug did, not because a busy machine had not finished.
      assert.ok(!result.why.some((text) => text.startsWith("not quiet")), told(result));
      return result;
    }

    it("is found out when a sender claims e-mails after it has sent them: e-mails are doubled", async () => {
      const { doubled, why } = await withBug("sender", "bugs/claim-late.ts", windows.claimLate);
      assert.ok(doubled > 0, why.join("\n"));
    });

    it("is found out when a sender forgets what became of e-mails: more are of unknown fate than a kill explains", async () => {
      const { lost, why } = await withBug("sender", "bugs/forget.ts", windows.forget);
      assert.ok(lost > 0, why.join("\n"));
    });

    it("is found out when no two leads are taken for one business: doubles stand apart", async () => {
      const { doubled, why } = await withBug("dedupe", "bugs/join-none.ts", windows.joinNone);
      assert.ok(doubled > 0, why.join("\n"));
    });

    it("is found out when a dead letter is dropped: its lead is lost", async () => {
      const { lost, why } = await withBug("enrich", "bugs/no-dead-letter.ts", windows.noDeadLetter);
      assert.ok(lost > 0, why.join("\n"));
    });

    it("is found out when a stage acknowledges before it commits: leads are lost", async () => {
      const { lost, why } = await withBug("enrich", "bugs/acknowledge-first.ts", windows.acknowledgeFirst);
      assert.ok(lost > 0, why.join("\n"));
    });
  });

  describe("and which stands on three NATS servers", () => {
    for (const row of shortRows.filter(({ cluster }) => cluster))
      it(`loses and doubles nothing: ${row.what}`, () => holds(row));
  });
});

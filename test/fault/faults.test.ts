import assert from "node:assert/strict";
import { join } from "node:path";
import { clocks } from "./clock.ts";
import { type Result, runRow } from "./driver.ts";
import { type Row, rows, shortRows } from "./rows.ts";
import { World } from "./world.ts";

const leads = 150;
/** Another one each time: a failure says which. */
const seed = Math.floor(Math.random() * 1_000_000);
const silent = () => {};
const start = (cluster: boolean) => World.start({ clock: clocks.short, cluster, build: false, log: silent });

/** What a failure is to say: why, and how it is run again. */
const told = ({ fault, why }: Result): string =>
  `${why.join("\n")}\nnpm run test:fault -- ${fault} --short --seed ${seed} --leads ${leads}`;

/** The short form of `npm run test:fault`: each kind of fault once, on shortened clocks. */
describe("a mesh in which everything breaks", function () {
  this.timeout(180_000);
  let world: World | undefined;
  const given = async (cluster: boolean): Promise<World> => {
    if (world && world.cluster !== cluster) await stop();
    world ??= await start(cluster);
    return world;
  };
  const stop = async () => {
    await world?.[Symbol.asyncDispose]();
    world = undefined;
  };
  after(stop);

  const run = async (row: Row, more: { leads?: number; quietMs?: number } = {}): Promise<Result> => {
    const options = { seed, leads, quietMs: 60_000, log: silent, ...more };
    const result = await runRow(await given(row.cluster ?? false), row, options);
    // What a row has left broken is not the next one's to mend.
    if (!result.holds) await stop();
    return result;
  };

  const [single, cluster] = [shortRows.filter((row) => !row.cluster), shortRows.filter((row) => row.cluster)];
  for (const row of single)
    it(`loses and doubles nothing: ${row.what}`, async () => {
      const result = await run(row);
      assert.ok(result.holds, told(result));
    });

  /** The driver is worth what it finds: bugs that the product does not have, each of which must turn a row red. */
  describe("and in which one process has a planted bug", () => {
    async function withBug(node: string, file: string, name: string): Promise<Result> {
      await (await given(false)).restart(node, [join(import.meta.dirname, file)]);
      return run(rows.find((row) => row.name === name)!, { leads: 400, quietMs: 5_000 });
    }

    it("is found out when a stage acknowledges before it commits: leads are lost", async () => {
      const { lost, why } = await withBug("enrich", "bugs/acknowledge-first.ts", "enrich-kill");
      assert.ok(lost > 0, why.join("\n"));
    });

    it("is found out when a sender claims e-mails after it has sent them: e-mails are doubled", async () => {
      const { doubled, why } = await withBug("sender", "bugs/claim-late.ts", "sender-kill");
      assert.ok(doubled > 0, why.join("\n"));
    });

    it("is found out when a dead letter is dropped: its lead is lost", async () => {
      const { lost, why } = await withBug("enrich", "bugs/no-dead-letter.ts", "redis-kill");
      assert.ok(lost > 0, why.join("\n"));
    });
  });

  describe("and which stands on three NATS servers", () => {
    for (const row of cluster)
      it(`loses and doubles nothing: ${row.what}`, async () => {
        const result = await run(row);
        assert.ok(result.holds, told(result));
      });
  });
});

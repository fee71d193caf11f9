import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { environmentOf, type Settings } from "../../../config/settings.ts";
import { openDatabase } from "../../../mixins/knex.ts";
import { defineService } from "../../../mixins/schema.ts";
import { driftOf, windowsOf } from "../../../services/budget/status.sql.ts";
import { dayOf } from "../../../services/budget/windows.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh } from "../../support/mesh.ts";
import { testPlace } from "../../support/servers.ts";

const spender = join(import.meta.dirname, "../../support/spender.ts");

/** A process that spends; it is ready when this resolves. */
async function spawnSpender(settings: Settings, ...args: string[]) {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(process.execPath, [spender, ...args], {
    env: { PATH: process.env["PATH"], ...environmentOf(settings), LEADS_DATABASE_POOL: "1" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => String((await lines.next()).value);
  assert.equal(await line(), "ready");
  return { child, line, go: () => void child.stdin.write("go\n") };
}

describe("many processes that spend at once", () => {
  it("never pass a cap by a micro-USD: twenty of them, of one tenant and provider", async function () {
    this.timeout(120_000);
    const capMicro = 6_000_000;
    await using place = await testPlace({
      LEADS_CAP_SEMRUSH: String(capMicro),
      LEADS_BUDGET_DAY: String(capMicro + 7),
    });
    const knex = openDatabase({ ...place.settings, databasePool: 1 });
    const seed = Math.floor(Math.random() * 1e9);
    console.log(`# seeds from ${seed}`);
    try {
      // The database itself watches: the statement that passes a cap fails, and its process with it. After the row is
      // written: a check looks at versions, too, that are made from a stale snapshot and never written.
      await knex.raw(
        `create function never_over() returns trigger language plpgsql as $$ begin
           if new.spent_micro + new.reserved_micro > ${capMicro} + 7 * cast(new.provider = '' as int) then
             raise exception 'the cap is passed: % of %', new.spent_micro + new.reserved_micro, new.provider;
           end if;
           return null;
         end $$;
         create trigger never_over after insert or update on budget_windows for each row execute function never_over()`,
      );
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          spawnSpender(place.settings, `p${n}`, "acme", "semrush", String(seed + n)),
        ),
      );
      for (const { go } of all) go();
      const tallies = await Promise.all(
        all.map(async ({ child, line }) => {
          const [tally, [code]] = await Promise.all([line(), once(child, "exit")]);
          assert.equal(code, 0);
          return JSON.parse(tally) as { granted: number; spentMicro: number };
        }),
      );
      const spentMicro = tallies.reduce((sum, tally) => sum + tally.spentMicro, 0);
      const windows = await windowsOf(knex, dayOf(Date.now()), "acme");
      for (const window of windows) assert.deepEqual([window.spentMicro, window.reservedMicro], [spentMicro, 0]);
      assert.equal(windows.length, 3);
      assert.ok(spentMicro > capMicro * 0.99, `the cap is used up (${spentMicro})`);
      assert.ok(tallies.filter(({ granted }) => granted > 0).length >= 15, "they took turns");
      assert.deepEqual(await driftOf(knex), []);
    } finally {
      await knex.destroy();
    }
  });

  it("lose nothing when one is killed between reserve and settle: it is found, and settled", async function () {
    this.timeout(60_000);
    await using place = await testPlace();
    const asked: unknown[] = [];
    const fates = defineService({
      name: "semrush",
      actions: {
        fate: (ctx) => {
          asked.push(ctx.params);
          return 300;
        },
      },
    });
    const mute = defineService({
      name: "screenshot",
      actions: {
        fate: () => {
          throw new Error("it cannot tell");
        },
      },
    });
    const budget = (await import("../../../services/budget/budget.service.ts")).default;
    const swift = defineService({ name: "budget", mixins: [budget as object], settings: { sweepMs: 50 } });
    await using mesh = await startMesh({ place, services: [swift, fates, mute] });
    const spenders = await Promise.all(
      ["semrush", "screenshot", "llm"].map((provider) =>
        spawnSpender(place.settings, provider, "acme", provider, "hang"),
      ),
    );
    for (const one of spenders) {
      one.go();
      assert.equal(JSON.parse(await one.line()).kind, "granted");
      one.child.kill("SIGKILL");
      await once(one.child, "exit");
    }
    const status = await eventually("all are found", async () => {
      const now = await mesh.broker.call<any, object>("budget.status", { tenant: "acme" });
      return now.open === 0 && now;
    });
    assert.deepEqual(asked, [{ tenant: "acme", effectKey: "semrush hangs" }]);
    assert.equal(status.providers.semrush.spentMicro, 300, "what the provider says");
    assert.equal(status.providers.screenshot.spentMicro, 1_000, "as spent: it cannot tell");
    assert.equal(status.providers.llm.spentMicro, 1_000, "as spent: nobody can be asked");
    assert.equal(status.presumed, 2);
    assert.equal(status.today.spentMicro, 2_300);
    assert.equal(status.today.reservedMicro, 0);
  });

  it("find a dead holder within a minute by their settings", async () => {
    const { default: budget, maxHoldMs } = await import("../../../services/budget/budget.service.ts");
    assert.ok(maxHoldMs + (budget.settings as { sweepMs: number }).sweepMs < 60_000);
  });
});

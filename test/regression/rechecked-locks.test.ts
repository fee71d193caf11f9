import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { openDatabase } from "../../mixins/knex.ts";
import { openWindows, reserve } from "../../services/budget/budget.sql.ts";
import { close } from "../../services/budget/closings.sql.ts";
import { testPlace } from "../support/servers.ts";

/**
 * PostgreSQL 18.0 to 18.4 crash when a statement finds that a row it locks was changed by another, and then looks up
 * entries in a partitioned table (mixins/knex.ts, `statement`): all sessions end, and it recovers for seconds.
 */
describe("a window that another process changes again and again", () => {
  it("is reserved in and settled in, and PostgreSQL lives on", async function () {
    this.timeout(120_000);
    await using place = await testPlace();
    const knex = openDatabase({ ...place.settings, databasePool: 6 }, { byIndex: true });
    const another = openDatabase({ ...place.settings, databasePool: 2 });
    const budget = { tenant: "acme", provider: "semrush", day: "2026-11-26" };
    const room = { day: 1e12, month: 1e12, provider: 1e12 };
    let isOver = false;
    const change = async () => {
      while (!isOver)
        await another.raw(
          "update budget_windows set told = told where tenant = 'acme' and period = 'day' and provider = ''",
        );
    };
    const spend = async (name: string) => {
      for (let n = 0; n < 100; n++) {
        const effects = Array.from({ length: 1 + (n % 7) }, (_, m) => ({
          ...{ effectKey: `${name} ${n} ${m}`, leadId: null, reservation: randomUUID(), amountMicro: 5 },
          ...{ essential: true, holdMs: 60_000, repeatable: false },
        }));
        const { effects: taken } = await reserve(knex, budget, { caps: room, rooms: room }, effects);
        assert.deepEqual(new Set(taken.map(({ granted }) => granted)), new Set([true]));
        const closings = effects.map(({ effectKey, reservation }) => ({
          ...{ effectKey, reservation, state: "settled" as const, costMicro: 4, by: "caller" as const, answer: null },
        }));
        const closed = await close(knex, "acme", closings);
        assert.deepEqual(new Set(closed.map(({ changed, costMicro }) => changed && costMicro)), new Set([4]));
      }
    };
    try {
      await openWindows(knex, budget);
      const changes = [change(), change()];
      try {
        await Promise.all(Array.from({ length: 6 }, (_, n) => spend(`p${n}`)));
      } finally {
        isOver = true;
        await Promise.all(changes);
      }
    } finally {
      await Promise.all([knex.destroy(), another.destroy()]);
    }
  });
});

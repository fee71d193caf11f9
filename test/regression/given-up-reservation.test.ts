import assert from "node:assert/strict";
import budget from "../../services/budget/budget.service.ts";
import { driftOf } from "../../services/budget/status.sql.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";

const usd = 1_000_000;

/**
 * What is reserved waits behind the statement that is under way, and that for the database. A reservation that was granted
 * when its caller had given up was nobody's: the sweep booked it as spent, and nothing had been bought.
 */
describe("a reservation that comes when its caller has given up", () => {
  it("is given back", async function () {
    this.timeout(60_000);
    await using mesh = await startMesh({ services: [budget] });
    const knex = mesh.resources.databases.of("acme");
    const order = { tenant: "acme", provider: "llm", amountMicro: usd, essential: true };
    const reserve = (effectKey: string, timeout: number) =>
      mesh.broker.call<any, object>("budget.reserve", { ...order, effectKey }, { timeout });
    const { reservation } = await reserve("in time", 60_000);
    await knex.transaction(async (trx) => {
      await trx("budget_windows").where({ tenant: "acme" }).forUpdate();
      const calls = ["in the statement", "behind it"].map((effectKey) => reserve(effectKey, 300));
      for (const call of calls) await assert.rejects(call, { type: "REQUEST_TIMEOUT" });
    });
    await eventually("both are given back", async () => {
      const entries = await knex("budget_entries").orderBy("effect_key").select("effect_key", "state");
      assert.deepEqual(
        entries.map(({ effect_key: key, state }) => `${key}: ${state}`),
        ["behind it: released", "in the statement: released", "in time: reserved"],
      );
      return true;
    });
    await mesh.broker.call("budget.settle", { tenant: "acme", effectKey: "in time", reservation });
    const { today } = await mesh.broker.call<any, object>("budget.status", { tenant: "acme" });
    assert.deepEqual([today.reservedMicro, today.spentMicro], [0, usd]);
    assert.deepEqual(await driftOf(knex), []);
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Context } from "moleculer";
import { environmentOf } from "../../../config/settings.ts";
import { defineService } from "../../../mixins/schema.ts";
import type { LevelReached } from "../../../services/budget/ledger.ts";
import { eventually } from "../../support/eventually.ts";
import { startGateway } from "../../support/gateway.ts";
import { startMesh } from "../../support/mesh.ts";

const budget = "services/budget/budget.service.ts";
const order = { tenant: "acme", provider: "llm", essential: true };

describe("the budget service", () => {
  it("refuses a call that is none, naming the field", async () => {
    await using mesh = await startMesh({ services: [budget] });
    const wrong = [
      { ...order, effectKey: "a", amountMicro: -1 },
      { ...order, effectKey: "a", amountMicro: 1.5 },
      { ...order, effectKey: "", amountMicro: 1 },
      { ...order, effectKey: "a", amountMicro: 1, holdMs: 55_000 },
      { ...order, effectKey: "a", amountMicro: 1, tenant: "no tenant" },
      { ...order, effectKey: "a", amountMicro: 1, essentail: true },
    ];
    for (const params of wrong)
      await assert.rejects(mesh.broker.call("budget.reserve", params), { type: "VALIDATION_ERROR" });
  });

  it("tells a level to who listens, and shows it at GET /v1/budget to the tenant's own key", async function () {
    this.timeout(30_000);
    const heard: LevelReached[] = [];
    const ear = defineService({
      name: "ear",
      events: { "budget.level": (ctx: Context<LevelReached>) => void heard.push(ctx.params) },
    });
    await using gateway = await startGateway({ services: [budget, ear] });
    const { secret } = await gateway.key("acme", "read");
    const { secret: other } = await gateway.key("other", "read");
    const { secret: blind } = await gateway.key("acme", "ingest");
    const taken = await gateway.broker.call<any, object>("budget.reserve", {
      ...order,
      effectKey: "a",
      amountMicro: 15_000_000,
    });
    assert.equal(taken.kind, "granted");
    await eventually("the warning", () => heard.length === 1);
    assert.deepEqual([heard[0]!.tenant, heard[0]!.provider, heard[0]!.level], ["acme", "llm", 75]);
    const settle = { tenant: "acme", effectKey: "a", reservation: taken.reservation, costMicro: 14_000_000 };
    assert.equal((await gateway.broker.call<any, object>("budget.settle", settle)).changed, true);
    const shown = (await (await gateway.call(secret, "/v1/budget")).json()) as any;
    assert.equal(shown.today.spentMicro, 14_000_000);
    assert.equal(shown.providers.llm.leftMicro, 6_000_000);
    assert.equal(shown.calls, 1);
    const theirs = (await (await gateway.call(other, "/v1/budget")).json()) as any;
    assert.equal(theirs.today.spentMicro, 0);
    assert.equal((await gateway.call(blind, "/v1/budget")).status, 403);
  });

  it("is shown and set by `npm run budget`, which finds a sum that is not its entries'", async function () {
    this.timeout(60_000);
    await using mesh = await startMesh({ services: [budget] });
    const run = (...args: string[]) =>
      spawnSync(
        process.execPath,
        [join(import.meta.dirname, "../../../bin/budget.ts"), ...args, "--dir", "/nonexistent"],
        {
          env: { PATH: process.env["PATH"], ...environmentOf(mesh.settings) },
          encoding: "utf8",
        },
      );
    const set = run(
      "set",
      "--tenant",
      "acme",
      "--day",
      "12.34",
      "--cap",
      "llm=0.000001",
      "--over",
      "complete",
      "--json",
    );
    assert.equal(set.status, 0, set.stderr);
    const { acme } = JSON.parse(set.stdout).tenants;
    assert.deepEqual(
      [acme.today.capMicro, acme.providers.llm.capMicro, acme.overBudget, acme.month.capMicro],
      [12_340_000, 1, "complete", 1_000_000_000],
    );
    const over = await mesh.broker.call<any, object>("budget.reserve", { ...order, effectKey: "a", amountMicro: 2 });
    assert.deepEqual([over.kind, over.until, over.overBudget], ["over", null, "complete"]);
    await mesh.broker.call("budget.reserve", { ...order, provider: "yelp", effectKey: "b", amountMicro: 2_000_000 });
    const table = run();
    assert.equal(table.status, 0, table.stderr);
    assert.match(table.stdout, /acme +day +0\.00 +2\.00 +12\.34/);
    assert.match(table.stdout, /day yelp +0\.00 +2\.00 +-/);
    await mesh.resources.databases.of("acme").raw("update budget_windows set spent_micro = 5 where provider = 'yelp'");
    const broken = run();
    assert.equal(broken.status, 1);
    assert.match(broken.stdout, /not the sum of their entries:\n {2}acme day \S+ yelp/);
    assert.equal(run("set", "--tenant", "acme", "--day", "1.0000001").status, 2);
    assert.equal(run("set", "--tenant", "acme", "--cap", "llm").status, 2);
    assert.equal(run("sett").status, 2);
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { defineService } from "../../../mixins/schema.ts";
import { driftOf } from "../../../services/budget/status.sql.ts";
import { startService } from "../../support/child.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh } from "../../support/mesh.ts";
import { testPlace } from "../../support/servers.ts";

/** A provider's server: charges a call when it comes (but for `lost`), keeps the answer back, and tells its account. */
async function account() {
  const charged = new Map<string, number>();
  const came = new Set<string>();
  const server = createServer((req, res) => {
    const url = new URL(req.url!, "http://account");
    const effect = url.searchParams.get("effect")!;
    if (url.pathname === "/calls") {
      came.add(effect);
      if (effect !== "lost") charged.set(effect, 700);
      return; // The answer never comes: the caller is dead by then.
    }
    if (effect === "silent") return res.writeHead(500).end();
    res.setHeader("content-type", "application/json");
    return res.end(JSON.stringify({ micro: charged.get(effect) ?? 0 }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    came,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("a call whose caller was killed between reserve and settle", () => {
  it("is found within a minute and booked at what the provider's own account says, else as spent", async function () {
    this.timeout(90_000);
    await using provider = await account();
    await using place = await testPlace({ LEADS_PAGESPEED_URL: provider.url, LEADS_PROVIDER_TIMEOUT_MS: "2000" });
    const { default: budget } = await import("../../../services/budget/budget.service.ts");
    const { default: metered } = await import("../../support/metered.service.ts");
    const swift = defineService({ name: "budget", mixins: [budget as object], settings: { sweepMs: 50 } });
    await using mesh = await startMesh({ place, services: [swift, "services/leads/leads.service.ts"] });
    await using caller = await startService(place.settings, "test/support/metered.service.ts");
    const nodeID = `one-${caller.process.pid}`;
    await eventually("the caller knows the ledger, and is known", async () => {
      const nodes = await mesh.broker.call<{ id: string; available: boolean }[], object>("$node.list", {});
      return nodes.some(({ id, available }) => id === nodeID && available);
    });
    for (const effect of ["charged", "lost", "silent"]) {
      const order = { tenant: "acme", effect, maxMicro: 1_000 };
      void mesh.broker.call("metered.ask", order, { nodeID, retries: 0 }).catch(() => {});
    }
    await eventually("all three are with the provider", () => provider.came.size === 3);
    const killedAt = Date.now();
    caller.process.kill("SIGKILL");
    await caller.exited;
    const entries = () => mesh.resources.databases.of("acme")("budget_entries").orderBy("effect_key");
    assert.deepEqual(
      (await entries()).map(({ state }) => state),
      ["reserved", "reserved", "reserved"],
    );

    // Another instance of the provider's service can be asked.
    mesh.broker.createService(metered);
    const found = await eventually(
      "they are found",
      async () => {
        const all = await entries();
        return all.every(({ state }) => state !== "reserved") ? all : undefined;
      },
      { withinMs: 60_000, everyMs: 100 },
    );
    assert.ok(Date.now() - killedAt < 60_000);
    assert.deepEqual(
      found.map(({ effect_key, state, settled_by, cost_micro }) => [effect_key, state, settled_by, Number(cost_micro)]),
      [
        ["metered charged", "settled", "provider", 700],
        ["metered lost", "released", null, 0],
        ["metered silent", "presumed", "presumption", 1_000],
      ],
    );
    const status = await mesh.broker.call<any, object>("budget.status", { tenant: "acme" });
    assert.deepEqual([status.today.spentMicro, status.today.reservedMicro, status.presumed], [1_700, 0, 1]);
    assert.deepEqual(await driftOf(mesh.resources.databases.of("acme")), []);
  });
});

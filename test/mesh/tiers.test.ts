import assert from "node:assert/strict";
import type { Lead, Tier } from "../../services/leads/lead.ts";
import { writeTier } from "../../services/leads/tenants.sql.ts";
import { tierOf } from "../../services/leads/tiers.ts";
import { eventually } from "../support/eventually.ts";
import { aLead } from "../support/leads.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { startProxy } from "../support/proxy.ts";
import { testPlace } from "../support/servers.ts";
import { acceptLive, quick, stage } from "../support/stages.ts";

/** A lead that was told without a tier, or with this one. */
function told(tenant: string, tier?: Tier): Lead {
  const { tier: _own, ...lead } = aLead({ tenant });
  return tier === undefined ? lead : { ...lead, tier };
}
const choose = (mesh: TestMesh, tenant: string, tier: number) =>
  writeTier(mesh.resources.databases.of(tenant), tenant, tier);

describe("a lead's tier", () => {
  it("is its own, else its tenant's, else 1", async () => {
    await using mesh = await startMesh({ services: [] });
    await choose(mesh, "deep", 3);
    await choose(mesh, "odd", 9);
    assert.equal(await tierOf(mesh.broker, { tenant: "deep", tier: 2 }), 2);
    assert.equal(await tierOf(mesh.broker, { tenant: "deep" }), 3);
    assert.equal(await tierOf(mesh.broker, { tenant: "odd" }), 1, "what is no tier counts for nothing");
    assert.equal(await tierOf(mesh.broker, { tenant: "nobody" }), 1);
  });

  it("is put on the lead by the first stage, and leaves a tenant's other choices alone", async () => {
    const arrived = new Map<string, Lead>();
    const end = stage("end", {
      async checkpoint(_stage, verdicts) {
        for (const { lead } of verdicts) arrived.set(lead.leadId, lead);
      },
    });
    const flow = [
      { name: "enrich", ...quick },
      { name: "end", ...quick },
    ];
    await using mesh = await startMesh({ flow, services: ["services/enrich/enrich.service.ts", end] });
    const knex = mesh.resources.databases.of("deep");
    await knex("tenants").insert({ tenant: "deep", shard: 0, settings: { budget: { dayMicro: 1 }, tier: 1 } });
    await choose(mesh, "deep", 2);
    assert.deepEqual(await knex("tenants").where({ tenant: "deep" }).pluck("settings"), [
      { budget: { dayMicro: 1 }, tier: 2 },
    ]);
    const leads = [told("deep", 3), told("deep"), told("plain")];
    await acceptLive(mesh, leads);
    await eventually("all arrived", () => arrived.size === 3);
    assert.deepEqual(
      leads.map(({ leadId }) => arrived.get(leadId)!.tier),
      [3, 2, 1],
    );
  });

  it("holds with the database away where it is known, and is waited for where it is not", async () => {
    await using place = await testPlace();
    const url = new URL(place.settings.databaseUrl);
    const proxy = await startProxy(place.settings.databaseUrl);
    url.host = new URL(proxy.url).host;
    await using mesh = await startMesh({ place, services: [], env: { LEADS_DATABASE_URL: url.href } });
    await choose(mesh, "deep", 2);
    assert.equal(await tierOf(mesh.broker, { tenant: "deep" }), 2);
    await proxy[Symbol.asyncDispose]();
    const real = Date.now;
    try {
      const later = real() + 60_000;
      Date.now = () => later;
      assert.equal(await tierOf(mesh.broker, { tenant: "deep" }), 2);
    } finally {
      Date.now = real;
    }
    await assert.rejects(tierOf(mesh.broker, { tenant: "nobody" }), { type: "OUTAGE" });
    assert.equal(await tierOf(mesh.broker, { tenant: "nobody", tier: 3 }), 3);
  });
});

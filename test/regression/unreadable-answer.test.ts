import assert from "node:assert/strict";
import { startSites } from "../../bin/demo/sites.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { eventually } from "../support/eventually.ts";
import { aLead } from "../support/leads.ts";
import { startMesh } from "../support/mesh.ts";
import { screenshotKey, screenshotStub } from "../support/providers/screenshot.ts";
import { acceptLive, quick, stage } from "../support/stages.ts";

describe("an answer that is paid and cannot be read", () => {
  it("is paid once for a lead that can do without it", async function () {
    this.timeout(60_000);
    const arrived = new Map<string, Lead>();
    const end = stage("end", {
      async checkpoint(_stage, verdicts) {
        for (const verdict of verdicts) arrived.set(verdict.lead.leadId, verdict.lead);
      },
    });
    await using sites = await startSites();
    await using stub = await screenshotStub();
    await using mesh = await startMesh({
      flow: [
        { name: "enrich", ...quick },
        { name: "end", ...quick },
      ],
      services: [
        ...["budget", "site", "enrich", "screenshot"].map((name) => `services/${name}/${name}.service.ts`),
        end,
      ],
      env: {
        LEADS_FETCH: "generator",
        LEADS_GENERATOR_URL: sites.url,
        LEADS_SCREENSHOT_URL: stub.url,
        LEADS_SCREENSHOT_KEY: screenshotKey,
        LEADS_SCREENSHOT_PRICE: "9000",
      },
    });
    stub.failure = "not JSON";
    const name = "modern-unreadable";
    const lead = aLead({ tier: 2, fields: { name, website: `http://${name}.example/`, domain: `${name}.example` } });
    await acceptLive(mesh, [lead]);
    await eventually("it goes on", () => arrived.has(lead.leadId), { withinMs: 20_000 });
    assert.deepEqual(arrived.get(lead.leadId)!.facts.screenshot, { status: "not_taken", reason: "unreadable" });
    const { providers } = await mesh.broker.call<any, object>("budget.status", { tenant: "acme" });
    assert.equal(providers.screenshot.spentMicro, 9_000);
    assert.equal(stub.requests.length, 1);
  });
});

import assert from "node:assert/strict";
import { expectedOf, labelledLeads } from "../../bin/demo/leads.ts";
import { kindOf, siteKinds } from "../../bin/demo/sites.ts";
import { normalise } from "../../services/intake/normalise.ts";
import type { Lead } from "../../services/leads/lead.ts";

const context = {
  tenant: "acme",
  source: "x",
  trust: "imported",
  defaultRegion: "US",
  now: 1_760_000_000_000,
  newId: () => "id",
} as const;

describe("generated leads", () => {
  it("are the same for the same seed, and others for another", () => {
    const all = (seed: string) => JSON.stringify([...labelledLeads({ count: 200, seed })]);
    assert.equal(all("a"), all("a"));
    assert.notEqual(all("a"), all("b"));
  });

  it("are refused, warned of and accepted by the intake just as they say", () => {
    for (const { lead, label } of labelledLeads()) {
      const read = normalise(lead, context);
      if (label === "refused") assert.ok("faults" in read, JSON.stringify(lead));
      else {
        assert.ok("lead" in read, JSON.stringify(read));
        assert.equal(read.lead.warnings !== undefined, label === "bad_field", JSON.stringify(read.lead));
      }
    }
  });

  it("share phone, e-mail or domain only where they are doubles or namesakes", () => {
    const keys = new Set<string>();
    for (const { lead, label } of labelledLeads()) {
      const read = normalise(lead, context) as { lead?: Lead };
      const { phone, email, domain } = read.lead?.fields ?? {};
      const told = [phone, email, domain].filter((k) => k !== undefined);
      if (label === "fresh" || label === "bad_field") for (const key of told) assert.ok(!keys.has(key), key);
      if (label === "double") assert.ok(keys.has(phone!), phone);
      for (const key of told) keys.add(key);
    }
  });

  it("have rows of every label and sites of every kind", () => {
    const { rows, ...counts } = expectedOf();
    assert.equal(rows, 2_000);
    for (const [label, count] of Object.entries(counts)) assert.ok(count > 10, `${label}: ${count}`);
    const kinds = new Set<string | undefined>();
    for (const { lead } of labelledLeads())
      kinds.add(kindOf(/([\w-]+\.example)/.exec(String(lead["website"]).replace("www.", ""))?.[1] ?? ""));
    for (const kind of Object.keys(siteKinds)) assert.ok(kinds.has(kind), kind);
  });
});

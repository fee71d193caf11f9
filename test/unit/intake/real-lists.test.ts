import assert from "node:assert/strict";
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { parseMap } from "../../../services/intake/columns.ts";
import { normalise } from "../../../services/intake/normalise.ts";
import { readRows } from "../../../services/intake/rows.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { context } from "./support.ts";

const folder = join(import.meta.dirname, "..", "..", "..", "..", "shared", "data");

/** Reads a whole list: its leads by line, its refusals, and how often each field was dropped. */
async function read(file: string, areaCode?: string, map?: string) {
  const leads = new Map<number, Lead>();
  const refused: [number, string][] = [];
  const dropped: Record<string, number> = {};
  const options = { format: "csv", rowLimitBytes: 65_536, ...(map ? { map: parseMap(map) } : {}) } as const;
  for await (const row of readRows(createReadStream(file), options)) {
    const result = "faults" in row ? row : normalise(row.raw, { ...context, ...(areaCode ? { areaCode } : {}) });
    if ("faults" in result) {
      refused.push([row.line, result.faults[0]!.message]);
      continue;
    }
    leads.set(row.line, result.lead);
    for (const { field } of result.lead.warnings ?? []) dropped[field] = (dropped[field] ?? 0) + 1;
  }
  return { leads, refused, dropped };
}

describe("intake: real lists, as read by eye", () => {
  const chicago = join(folder, "chicago-early-childhood-sites.csv");
  const breweries = join(folder, "breweries.csv");
  beforeEach(function () {
    if (!existsSync(chicago) || !existsSync(breweries)) {
      console.log(`      skipped: ${folder} does not hold the lists`);
      this.skip();
    }
  });

  it("takes all of the Chicago sites, and drops what stands in shifted columns", async () => {
    const map =
      "name=Site name,address=Address,zip=Zip,phone=Phone,website=Website,email=Email Address,sourceId=Source+Id";
    const { leads, refused, dropped } = await read(chicago, "773", map);
    assert.deepEqual(refused, []);
    assert.equal(leads.size, 3_337);
    // 519 Yes/No as a web site, 134 dates as an e-mail address, a glued and a rounded number, a postal code of 4 digits.
    assert.deepEqual(dropped, { website: 519, email: 134, phone: 2, zip: 1 });
    const first = leads.get(2)!;
    assert.deepEqual(first.fields, {
      name: "Chicago Commons Association St Catherine's - St. Lucy School",
      phone: "+17733865286",
      website: "http://www.chicagocommons.org/",
      domain: "chicagocommons.org",
      address: { street: "27 Washington", city: "Oak Park", state: "IL", zip: "60302", country: "US" },
    });
    assert.equal(first.sourceId, "DFSS_AgencySiteLies_2012.csv/1958");
    assert.ok(!leads.has(3) && leads.has(5), "the row behind one with two line breaks inside has its true line");
    assert.equal(new Set([...leads.values()].map(({ leadId }) => leadId)).size, 3_337);
  });

  it("takes all breweries but the one that has no name yet", async () => {
    const { leads, refused, dropped } = await read(breweries);
    assert.deepEqual(refused, [[10_197, '"TBD" is not a name']]);
    assert.equal(leads.size, 11_821);
    assert.deepEqual(dropped, { phone: 25, website: 16 });
    const phones = [...leads.values()].filter(({ fields }) => fields.phone).length;
    assert.ok(phones > 10_400, `${phones} of 10,503 numbers are valid`);
    assert.deepEqual(leads.get(6)!.fields, {
      name: "(512) Brewing Co",
      phone: "+15129211545",
      website: "http://www.512brewing.com/",
      domain: "512brewing.com",
      address: { street: "407 Radam Ln", unit: "Ste F200", city: "Austin", state: "TX", zip: "78745", country: "US" },
    });
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { parseMap } from "../../../services/intake/columns.ts";
import { normalise } from "../../../services/intake/normalise.ts";
import { readRows } from "../../../services/intake/rows.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { dedupePlace } from "./place.ts";

const file = join(import.meta.dirname, "../../../../shared/data/chicago-early-childhood-sites.csv");
const context = {
  tenant: "acme",
  source: "chicago",
  trust: "imported" as const,
  defaultRegion: "US",
  areaCode: "773",
  now: 1_000,
};
const columns =
  "name=Site name,address=Address,zip=Zip,phone=Phone,website=Website,email=Email Address,sourceId=Source+Id";

/** The leads of the file with one more column of it, which no decision sees. */
async function readLeads(): Promise<{ lead: Lead; gold: string }[]> {
  const leads: { lead: Lead; gold: string }[] = [];
  const options = { format: "csv", map: parseMap(`${columns},vertical=True Id`), rowLimitBytes: 65_536 } as const;
  for await (const row of readRows(createReadStream(file), options)) {
    if (!("raw" in row)) continue;
    const { vertical: gold, ...raw } = row.raw;
    const read = normalise(raw, { ...context, newId: randomUUID });
    if ("lead" in read) leads.push({ lead: read.lead, gold: String(gold) });
  }
  return leads;
}

const pairs = (n: number) => (n * (n - 1)) / 2;
const pairsOf = (groups: Iterable<unknown[]>) => [...groups].reduce((sum, group) => sum + pairs(group.length), 0);

describe("dedupe: a list merged by hand from nine that overlap", () => {
  it("ties few rows together that people held apart", async function () {
    if (!existsSync(file)) {
      console.log(`      skipped: ${file} is not there`);
      return this.skip();
    }
    await using place = await dedupePlace();
    const rows = await readLeads();
    const winners = new Map<string, string>();
    for (let from = 0; from < rows.length; from += 250)
      await place.settle(rows.slice(from, from + 250).map((r) => r.lead));
    for (const row of await place.knex("leads").select("lead_id", "merged_into"))
      winners.set(row.lead_id, row.merged_into ?? row.lead_id);
    const known = rows
      .filter(({ gold }) => gold !== "x")
      .map(({ lead, gold }) => ({ gold, found: winners.get(lead.leadId)! }));
    const found = pairsOf(Map.groupBy(known, (r) => r.found).values());
    const gold = pairsOf(Map.groupBy(known, (r) => r.gold).values());
    const right = pairsOf(Map.groupBy(known, (r) => `${r.gold} ${r.found}`).values());
    const precision = right / found;
    const merged = [...winners].filter(([lead, winner]) => lead !== winner).length;
    console.log(
      `      ${rows.length} leads, ${merged} merged; pairs: ${found} found, ${right} right, ${gold} in all; ` +
        `precision ${precision.toFixed(3)}, recall ${(right / gold).toFixed(3)}`,
    );
    // The gold tells sites apart, these rules businesses: one organisation at two addresses with one phone is one lead.
    assert.ok(precision > 0.93, `precision ${precision}`);
    assert.ok(right / gold > 0.7, `recall ${right / gold}`);
  });
});

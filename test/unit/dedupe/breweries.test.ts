import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { matchAll } from "../../../bin/dedupe-report/match.ts";
import { measure } from "../../../bin/dedupe-report/measure.ts";
import { type GoldRow, readGold } from "../../../bin/dedupe-report/read-gold.ts";
import { thresholds } from "../../../services/dedupe/verdict.ts";
import { seeded } from "../../mesh/dedupe/place.ts";
import { spoilt } from "../../support/list-errors.ts";

const file = join(import.meta.dirname, "../../../../shared/data/breweries.csv");

/** Every third US brewery, and of each two copies with errors. */
async function readSpoilt(): Promise<GoldRow[]> {
  const random = seeded(20_250_711);
  const read = await readGold({ file, gold: "id", region: "US", rowLimitBytes: 65_536 });
  const rows: GoldRow[] = [];
  const seen = new Set<string>();
  for (const { lead, gold, line } of read) {
    if (lead?.fields.address?.country !== "US" || line % 3 > 0) continue;
    // The list has doubles of its own, which its ids do not know: of a phone or a street address one is taken.
    const { phone, address } = lead.fields;
    const taken = [phone, address.street && `${address.street} ${address.zip}`].filter((value) => value !== undefined);
    if (taken.some((value) => seen.has(value))) continue;
    for (const value of taken) seen.add(value);
    for (const copy of [0, 1, 2]) {
      const leadId = `${String(copy).padStart(8, "0")}${lead.leadId.slice(8)}`;
      const fields = copy === 0 ? lead.fields : spoilt(lead.fields, random);
      rows.push({ line, gold, lead: { ...lead, leadId, sourceId: leadId, fields } });
    }
  }
  return rows;
}

describe("matching breweries of which each is told three times, twice with errors", () => {
  it("finds nearly all pairs, and by thresholds that stand on no needle", async function () {
    if (!existsSync(file)) {
      console.log(`      skipped: ${file} is not there`);
      return this.skip();
    }
    const rows = await readSpoilt();
    const compared = matchAll(rows.map((row) => row.lead!));
    const at = (factor: number) => measure(rows, compared, { ...thresholds, same: thresholds.same * factor });
    const [lower, set, higher] = [at(0.9), at(1), at(1.1)];
    const shown = (m: typeof set) => `F1 ${m.f1.toFixed(3)} (${m.precision.toFixed(3)}, ${m.recall.toFixed(3)})`;
    console.log(
      `      ${rows.length} rows: ${shown(set)}, blocking recall ${set.blockingRecall.toFixed(3)}, ${set.doubt} pairs in doubt; ` +
        `a tenth lower ${shown(lower)}, higher ${shown(higher)}`,
    );
    assert.ok(set.f1 > 0.95, shown(set));
    assert.ok(set.blockingRecall > 0.97);
    assert.ok(Math.min(lower.f1, higher.f1) > set.f1 - 0.02, "a tenth either way moves F1 little");
  });
});

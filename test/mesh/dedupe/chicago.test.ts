import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { matchAll } from "../../../bin/dedupe-report/match.ts";
import { clustersOf, measure } from "../../../bin/dedupe-report/measure.ts";
import { readGold } from "../../../bin/dedupe-report/read-gold.ts";
import { thresholds } from "../../../services/dedupe/verdict.ts";
import { dedupePlace } from "./place.ts";

const file = join(import.meta.dirname, "../../../../shared/data/chicago-early-childhood-sites.csv");
const map = "name=Site name,address=Address,zip=Zip,phone=Phone,website=Website,email=Email Address,sourceId=Source+Id";

describe("dedupe: a list merged by hand from nine that overlap", () => {
  it("is matched nearly as people did, in the database as in the report, and by thresholds that stand on no needle", async function () {
    if (!existsSync(file)) {
      console.log(`      skipped: ${file} is not there`);
      return this.skip();
    }
    const rows = await readGold({ file, gold: "True Id", map, region: "US", areaCode: "773", rowLimitBytes: 65_536 });
    const leads = rows.map((row) => row.lead!);
    const compared = matchAll(leads);
    const { precision, recall, f1, blockingRecall } = measure(rows, compared);
    console.log(
      `      F1 ${f1.toFixed(4)} (${precision.toFixed(4)}, ${recall.toFixed(4)}), blocking ${blockingRecall}`,
    );
    assert.ok(f1 >= 0.97, `F1 ${f1}`);
    assert.ok(blockingRecall >= 0.97, `blocking recall ${blockingRecall}`);
    for (const factor of [0.9, 1.1]) {
      const moved = measure(rows, compared, { ...thresholds, same: thresholds.same * factor });
      assert.ok(moved.f1 >= f1 - 0.005, `F1 ${moved.f1} at ${factor} of the threshold`);
    }

    await using place = await dedupePlace();
    for (let from = 0; from < leads.length; from += 250) await place.settle(leads.slice(from, from + 250));
    const winners = new Map<string, string>();
    for (const row of await place.knex("leads").select("lead_id", "merged_into"))
      winners.set(row.lead_id, row.merged_into ?? row.lead_id);
    const reported = clustersOf(compared);
    const clusters = (of: (leadId: string) => string) =>
      [...Map.groupBy([...winners.keys()].sort(), of).values()].map((group) => group.join(" ")).sort();
    assert.deepEqual(
      clusters((leadId) => winners.get(leadId)!),
      clusters((leadId) => reported.find(leadId)),
    );
  });
});

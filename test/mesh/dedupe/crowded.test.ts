import assert from "node:assert/strict";
import { keyBound, keysOf } from "../../../services/dedupe/keys.ts";
import { profileOf } from "../../../services/dedupe/profile.ts";
import { business, dedupePlace } from "./place.ts";

const phone = "+18005550100";

describe("dedupe: a phone that 100,000 leads have", () => {
  it("is weighed down and not walked: it costs little, ties nobody, and hides no double", async () => {
    await using place = await dedupePlace(1);
    const { knex } = place;
    const called = (name: string, of = phone) => business({ name, phone: of }, { source: "list" });
    // The first of them come as all leads do, and fill the key; the others are put beside them, as they would stand.
    const early = Array.from({ length: keyBound + 10 }, (_, n) => called(`Early${"abcdefghij"[n % 10]}${n} Zq${n}`));
    await place.settle(early);
    await knex.raw(
      `insert into leads (tenant, lead_id, revision, step, state, stage, source, source_id, trust, tier, name, phone,
         fields, accepted_at)
       select tenant, gen_random_uuid(), revision, step, state, stage, source, 'n' || n, trust, tier, 'Called ' || md5(n::text),
         phone, jsonb_build_object('name', 'Called ' || md5(n::text), 'phone', phone), accepted_at
       from leads cross join generate_series(1, 100000) n where lead_id = ?`,
      [early[0]!.leadId],
    );
    const double = called("Rosebud Bakery");
    await place.settle([double]);
    const phoneKey = keysOf(double.tenant, profileOf(double, double.fields)).find(({ kind }) => kind === "phone")!;
    await knex.raw(
      `insert into lead_keys (key, lead_id)
       select ?::bigint + (hashint8(row_number() over ()) & 16777215), lead_id from leads where name like 'Called %'`,
      [phoneKey.low],
    );
    await knex.raw("analyze lead_keys");

    const run = async (make: (n: number) => ReturnType<typeof called>) => {
      const times: number[] = [];
      for (let n = 0; n < 20; n++) {
        const leads = Array.from({ length: 100 }, (_, at) => make(n * 100 + at));
        const start = performance.now();
        const settled = await place.settle(leads);
        times.push(performance.now() - start);
        for (const { kind } of settled.values()) assert.equal(kind, "live");
      }
      return times.sort((a, b) => a - b)[10]!;
    };
    const letters = (n: number) => [...String(n)].map((digit) => "kbtdfgmprs"[Number(digit)]).join("a");
    const own = await run((n) => called(`Own${letters(n)} Vu${letters(n)}`, `+1312${7_000_000 + n * 41}`));
    const shared = await run((n) => called(`New${letters(n)} Wo${letters(n)}`));
    assert.ok(shared < own * 2, `a batch takes ${shared.toFixed(1)} ms behind the phone, ${own.toFixed(1)} ms else`);
    const again = called("Rosebud Bakery");
    const half = called("Rosebud Flowers");
    const settled = await place.settle([again, half]);
    assert.equal(settled.get(half.leadId)!.kind, "live", "the phone says little");
    assert.deepEqual(settled.get(again.leadId), { kind: "merged", into: double.leadId });
  });
});

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { inspect, isDeepStrictEqual } from "node:util";
import { normalise } from "../../../services/intake/normalise.ts";
import { rawFields } from "../../../services/intake/raw.ts";
import { context, dice } from "./support.ts";

const words = [
  "",
  " ",
  "\n",
  "\u0000",
  "\ud800",
  "\u202e",
  "x".repeat(5_000),
  "N/A",
  "Yes",
  "0",
  "-1",
  "1e400",
  "NaN",
  "__proto__",
  "27 Washington Oak Park IL 60302",
  "St St St St St IL 60614",
  ",,,;;;\n\n",
  "# # # #",
  "IL",
  "P.O. Box",
  "NE NE NE 20001",
  "www.x.com",
  "http://[::1",
  "http://%",
  "javascript:x.y",
  "a@b.c",
  "@@@@",
  "joe@example.com",
  "773-555-0100",
  "5550100",
  "+",
  "1-800-",
  "\u0665\u0665\u0665",
  "<script>",
  "{{}}",
  "'; drop table leads; --",
  "K1A 0B1",
  "SW1A 2AA",
  "96317 Kronach",
  "Germany",
  "United States",
  "12345",
  "1234",
  "caf\u00e9",
  "\u6771\u4eac",
  "\ud83c\udf7a",
  "a".repeat(300),
  ". . .",
  "1 1 1 1",
  "Ste Ste 5 Ste #",
];

/** Anything that JSON can hold, and some that it cannot. */
function anything(next: () => number, depth = 0): unknown {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const kind = next();
  if (kind < 0.6) return pick(words);
  if (kind < 0.75)
    return Array.from({ length: 1 + Math.floor(next() * 5) }, () => pick(words)).join(pick([" ", ", ", "\n", ""]));
  if (kind < 0.82) return pick([0, -0, 1, 1.5, -7, 1e21, Number.NaN, Number.POSITIVE_INFINITY, 3125550100]);
  if (kind < 0.88) return pick([null, undefined, true, false]);
  if (depth > 2) return 10n;
  if (kind < 0.94) return Array.from({ length: Math.floor(next() * 4) }, () => anything(next, depth + 1));
  return Object.fromEntries(
    Array.from({ length: Math.floor(next() * 4) }, () => [
      pick(["street", "city", "zip", "x", ...words]),
      anything(next, depth + 1),
    ]),
  );
}

describe("intake: whatever is told", () => {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
  const next = dice(seed);
  const names = [...Object.keys(rawFields), "unknown"];
  const told = () => {
    const raw: Record<string, unknown> = {};
    for (const name of names) if (next() < (name === "unknown" ? 0.02 : 0.5)) raw[name] = anything(next);
    if (next() < 0.7) raw["name"] = "Joe's";
    if (next() < 0.8) {
      delete raw["source"];
      delete raw["sourceId"];
    }
    return raw;
  };

  it(`never throws, keeps plain JSON, and is the same when told its own fields again (SEED=${seed})`, () => {
    let leads = 0;
    for (let n = 0; n < 20_000; n++) {
      const raw = told();
      const read = normalise(raw, { ...context, areaCode: "773" });
      if ("faults" in read) {
        assert.ok(read.faults.length > 0);
        for (const { message } of read.faults) assert.ok(message.length < 400, message);
        continue;
      }
      leads++;
      const { lead } = read;
      const text = JSON.stringify(lead);
      assert.deepEqual(JSON.parse(text), lead);
      assert.ok(text.length < 20_000, `a lead of ${text.length} characters`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be in it
      assert.doesNotMatch(JSON.stringify(lead.fields), /\\u0000|\\ud[89a-f]|[\x00-\x1f]/);
      // Namibia's code reads as "not available" when it comes back.
      if (lead.fields.address?.country === "NA") continue;
      const { emailRole: _r, emailDisposable: _d, domain: _o, ...fields } = lead.fields;
      const again = normalise(fields, { ...context, areaCode: "773" });
      assert.ok("lead" in again, `${JSON.stringify(fields)} -> ${JSON.stringify(again)}`);
      assert.ok(isDeepStrictEqual(again.lead.fields, lead.fields), inspect([raw, lead.fields, again.lead.fields]));
      assert.equal(again.lead.warnings, undefined, JSON.stringify([fields, again.lead.warnings]));
    }
    assert.ok(leads > 2_000, `only ${leads} of 20,000 were leads`);
  });
});

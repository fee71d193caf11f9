import assert from "node:assert/strict";
import type { Lead, LeadFields } from "../../../services/leads/lead.ts";
import { spoilt } from "../../support/list-errors.ts";
import { business, dedupePlace, seeded, seededId, shuffled } from "./place.ts";

const seed = Number(process.env["TEST_SEED"] ?? 7);
const syllables = "ba ce do fu gi ha jo ka le mi no pu ra so te vu".split(" ");

/** Businesses told one to four times with errors, chains with one name, phone and site, and a phone that many share. */
function list(random: () => number): Lead[] {
  const pick = () => syllables[Math.floor(random() * syllables.length)]!;
  const word = () => `${pick().toUpperCase()}${pick()}${pick()}`;
  const leads: Lead[] = [];
  const tell = (fields: LeadFields) =>
    leads.push(business(fields, { leadId: seededId(seed, leads.length), revision: 1_000 + leads.length }));
  for (let n = 0; n < 500; n++) {
    const fields: LeadFields = {
      name: `${word()} ${word()} Bakery`,
      phone: n % 5 === 0 ? "+18005550100" : `+1312${4_000_000 + n * 37}`,
      domain: `${word().toLowerCase()}${n}.example`,
      address: {
        street: `${100 + Math.floor(random() * 5_000)} ${word()} Street`,
        zip: `60${600 + (n % 60)}`,
        city: "Chicago",
      },
    };
    tell(fields);
    for (let copy = Math.floor(random() * 4); copy > 0; copy--) tell(spoilt(fields, random));
    if (n % 50 > 0) continue;
    for (let place = 1; place < 12; place++)
      tell({ ...fields, address: { street: `${place * 311} ${word()} Avenue`, zip: `60${700 + place}` } });
  }
  return leads;
}

const pairs = (winners: ReadonlyMap<string, string>) => {
  const found = new Set<string>();
  for (const members of Map.groupBy(winners.keys(), (leadId) => winners.get(leadId)!).values()) {
    members.sort();
    for (const [n, a] of members.entries()) for (const b of members.slice(n + 1)) found.add(`${a} ${b}`);
  }
  return found;
};

describe("dedupe: the order of arrival", () => {
  it("decides next to nothing: in five orders the same pairs are found", async () => {
    const leads = list(seeded(seed));
    const found: Set<string>[] = [];
    for (let order = 0; order < 5; order++) {
      await using place = await dedupePlace(1);
      const random = seeded(seed + order);
      const queue = shuffled(leads, random);
      while (queue.length > 0) await place.settle(queue.splice(0, 1 + Math.floor(random() * 120)));
      const rows = await place.knex("leads").select("lead_id", "merged_into");
      found.push(pairs(new Map(rows.map((row) => [row.lead_id, row.merged_into ?? row.lead_id]))));
    }
    assert.ok(found[0]!.size > 400, `${found[0]!.size} pairs: the list has doubles`);
    for (const [n, a] of found.entries()) {
      for (const b of found.slice(n + 1)) {
        const both = [...a].filter((pair) => b.has(pair)).length;
        const agreement = both / (a.size + b.size - both);
        assert.ok(agreement >= 0.99, `${agreement} of ${a.size} and ${b.size} pairs agree`);
      }
    }
  });
});

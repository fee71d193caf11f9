import assert from "node:assert/strict";
import {
  provenanceOf,
  retold,
  retoldForWinner,
  survive,
  type Told,
  toldBy,
} from "../../../services/dedupe/survivorship.ts";
import type { Lead, LeadFields } from "../../../services/leads/lead.ts";
import { aLead } from "../../support/leads.ts";

const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
const told = (n: number, fields: Partial<LeadFields>, given: Partial<Lead> = {}): Told =>
  toldBy(aLead({ leadId: id(n), revision: n * 1_000, ...given, fields: { name: "Bakery", ...fields } }));

describe("survivorship", () => {
  const cases: [string, Told, Told, Partial<LeadFields>][] = [
    [
      "the more trusted",
      told(1, { phone: "+1" }, { trust: "manual" }),
      told(2, { phone: "+2" }, { trust: "google" }),
      { phone: "+1" },
    ],
    [
      "the more trusted before the more complete",
      told(1, { email: "info@a.example", emailRole: true }, { trust: "yelp" }),
      told(2, { email: "anna@a.example" }, { trust: "scraped" }),
      { email: "info@a.example", emailRole: true },
    ],
    [
      "a person's e-mail before a role's",
      told(1, { email: "anna@a.example" }),
      told(2, { email: "info@a.example", emailRole: true }),
      { email: "anna@a.example" },
    ],
    [
      "a role's e-mail before a disposable one",
      told(1, { email: "info@a.example", emailRole: true }),
      told(2, { email: "x@bin.example", emailDisposable: true }),
      { email: "info@a.example", emailRole: true },
    ],
    [
      "a site of its own before a page elsewhere",
      told(1, { website: "http://a.example/", domain: "a.example" }),
      told(2, { website: "https://facebook.com/a", domain: "facebook.com" }),
      { website: "http://a.example/", domain: "a.example" },
    ],
    [
      "the address with more parts, as a whole",
      told(1, { address: { street: "1 Elm St", city: "Chicago", zip: "60601" } }),
      told(2, { address: { street: "1 Elm Street, rear building" } }),
      { address: { street: "1 Elm St", city: "Chicago", zip: "60601" } },
    ],
    [
      "the longer street of addresses with equal parts",
      told(1, { address: { street: "1 North Elm Street" } }),
      told(2, { address: { street: "1 Elm" } }),
      { address: { street: "1 North Elm Street" } },
    ],
    ["the newer of equals", told(1, { phone: "+1" }), told(2, { phone: "+2" }), { phone: "+2" }],
    [
      "what only one knows",
      told(1, { vertical: "food" }),
      told(2, { foundedYear: 1990 }),
      { vertical: "food", foundedYear: 1990 },
    ],
    [
      "a rating with its own count",
      told(1, { reviewCount: 9, rating: 4.5 }),
      told(2, { rating: 5 }),
      { reviewCount: 9, rating: 4.5 },
    ],
    [
      "the lists of both, joined",
      told(1, { categories: ["cake", "bread"] }),
      told(2, { categories: ["cafe", "cake"] }),
      { categories: ["bread", "cafe", "cake"] },
    ],
  ];
  for (const [what, a, b, expected] of cases) {
    it(`keeps ${what}, in whichever order they meet`, () => {
      assert.deepEqual(survive(a, b).fields, { name: "Bakery", ...expected });
      assert.deepEqual(survive(b, a).fields, { name: "Bakery", ...expected });
      assert.deepEqual(survive(a, b).origins, survive(b, a).origins);
    });
  }

  it("knows no order over many tellings", () => {
    const trusts = ["manual", "google", "imported"] as const;
    const tellings = [1, 2, 3, 4, 5, 6].map((n) =>
      told(
        n,
        {
          ...(n % 2 ? { email: `${n}@a.example`, emailRole: n % 3 === 0 } : { phone: `+${n}` }),
          ...(n % 3
            ? { address: { street: `${n} Elm`, ...(n > 3 ? { zip: "6" } : {}) }, categories: [`c${n % 4}`] }
            : {}),
        },
        { trust: trusts[n % 3]!, revision: 1_000 + (n % 2) },
      ),
    );
    const all = (order: number[]) => order.map((n) => tellings[n]!).reduce(survive);
    const expected = all([0, 1, 2, 3, 4, 5]);
    for (const order of [
      [5, 4, 3, 2, 1, 0],
      [2, 0, 4, 1, 5, 3],
      [1, 3, 5, 0, 2, 4],
      [4, 5, 0, 1, 2, 3],
    ]) {
      const { fields, origins } = all(order);
      assert.deepEqual([fields, origins], [expected.fields, expected.origins]);
    }
  });

  it("returns the first itself where nothing is gained, so that nothing is written", () => {
    const a = told(2, { phone: "+1", categories: ["bread"] });
    assert.equal(survive(a, told(1, { categories: ["bread"] })), a);
    assert.equal(survive(a, a), a);
  });

  it("lets a later telling speak for all that was the lead's own", () => {
    const merged = survive(
      told(1, { phone: "+1", vertical: "food" }),
      told(2, { email: "a@a.example" }, { trust: "google" }),
    );
    const later = told(1, { phone: "+9", email: "b@a.example" }, { revision: 9_000 });
    assert.deepEqual(retold(merged, later, id(1)).fields, { name: "Bakery", phone: "+9", email: "a@a.example" });
  });

  it("lets a later telling of a merged lead replace what the winner has of it, and leaves the rest", () => {
    const winner = survive(
      told(1, { phone: "+1" }, { trust: "google" }),
      told(2, { email: "a@a.example", vertical: "food" }),
    );
    const later = told(2, { phone: "+9", email: "bb@a.example", emailRole: true }, { revision: 9_000 });
    assert.deepEqual(retoldForWinner(winner, later, id(2)).fields, {
      name: "Bakery",
      phone: "+1",
      email: "bb@a.example",
      emailRole: true,
      vertical: "food",
    });
  });

  it("writes no provenance while all is the lead's own", () => {
    const own = told(1, { phone: "+1" });
    assert.deepEqual(provenanceOf(own, { leadId: id(1), revision: 1_000 }), {});
    const merged = survive(own, told(2, { vertical: "food" }, { source: "yelp", trust: "yelp" }));
    assert.deepEqual(provenanceOf(merged, { leadId: id(1), revision: 1_000 })["vertical"], {
      trust: 70,
      source: "yelp",
      leadId: id(2),
      revision: 2_000,
    });
  });
});

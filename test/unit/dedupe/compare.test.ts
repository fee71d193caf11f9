import assert from "node:assert/strict";
import { compare } from "../../../services/dedupe/compare.ts";
import { profileOf } from "../../../services/dedupe/profile.ts";
import { jaroWinkler, oneSlip } from "../../../services/dedupe/similarity.ts";
import { type Verdict, verdictOf } from "../../../services/dedupe/verdict.ts";
import type { LeadFields } from "../../../services/leads/lead.ts";
import { aLead } from "../../support/leads.ts";

const street = { street: "27 W Washington St", zip: "60602" };
const other = { street: "900 N Clark St", zip: "60610" };
const phone = "+13125550142";
const domain = "rosebud.example";
const email = "info@rosebud.example";
const name = "Rosebud Bakery";

const profile = (fields: LeadFields) => profileOf(aLead({ fields }), fields);

describe("comparing two leads", () => {
  const cases: [Verdict, string, LeadFields, LeadFields][] = [
    ["same", "name and phone", { name, phone }, { name: "The Rosebud Bakery, Inc.", phone }],
    ["same", "name and address", { name, address: street }, { name, address: { street: "27 Washington" } }],
    [
      "same",
      "address and phone under another name",
      { name, phone, address: street },
      { name: "Zhao", phone, address: street },
    ],
    [
      "same",
      "a name within a longer one at one address",
      { name: "Hinton", address: street },
      { name: "Public Schools Hinton, William", address: street },
    ],
    [
      "same",
      "slips in name and street",
      { name, address: street },
      { name: "Rosebdu Bakery", address: { street: "27 Washingtn St", zip: "60602" } },
    ],
    [
      "same",
      "another suite",
      { name, address: { ...street, unit: "4" } },
      { name, address: { ...street, unit: "210" } },
    ],
    [
      "different",
      "two businesses of one suite, one without a phone",
      { name: "Smith Attorney", phone, address: { ...street, unit: "Suite 200" } },
      { name: "Jones Dental", email, address: { ...street, unit: "Suite 200" } },
    ],
    [
      "doubt",
      "two shops of one building with common names and two phones",
      { name: "Hair Salon", phone, address: street },
      { name: "Nail Salon", phone: "+13125559999", address: street },
    ],
    [
      "doubt",
      "the same of one suite",
      { name: "Hair Salon", phone, address: { ...street, unit: "4" } },
      { name: "Nail Salon", phone: "+13125559999", address: { ...street, unit: "4" } },
    ],
    [
      "same",
      "common names of one building, of which one tells no phone",
      { name: "Hair Salon", phone, address: street },
      { name: "Nail Salon", address: street },
    ],
    ["same", "another area code", { name, phone }, { name, phone: "+17735550142" }],
    ["different", "a chain's two places", { name, address: street }, { name, address: other }],
    [
      "different",
      "a chain's two places with its domain",
      { name, domain, address: street },
      { name, domain, address: other },
    ],
    [
      "different",
      "two businesses of one address",
      { name, phone, address: street },
      { name: "Zhao Law", phone: "+13125559999", address: street },
    ],
    ["different", "a phone under two names", { name, phone }, { name: "Zhao Law", phone }],
    ["different", "places that their names number", { name: "Stars 1", phone }, { name: "Stars 2", phone }],
    ["different", "one name and nothing else", { name: "Bakery Cafe", phone }, { name: "Bakery Cafe", email }],
    [
      "different",
      "a chain's two places with its phone and mail",
      { name, phone, email, address: street },
      { name, phone, email, address: other },
    ],
    ["doubt", "a chain's site beside a place of it", { name, domain }, { name, domain, address: street }],
  ];
  for (const [verdict, what, a, b] of cases)
    it(`finds ${what}: ${verdict}`, () => {
      const [ab, ba] = [compare(profile(a), profile(b)), compare(profile(b), profile(a))];
      assert.equal(verdictOf(ab), verdict, JSON.stringify(ab));
      assert.deepEqual(ab, ba, "says the same for (b, a)");
    });

  it("is sure of the source's own key, whatever else is told", () => {
    const lead = aLead({ source: "yelp", sourceId: "1", fields: { name, phone, domain, address: street } });
    const now: LeadFields = { name: "Zhao", phone: "+12125550000", domain: "zhao.example", address: other };
    assert.equal(verdictOf(compare(profileOf(lead, lead.fields), profileOf(lead, now))), "same");
  });

  it("takes a crowded phone for little", () => {
    const [a, b] = [profile({ name: "Rosebud Zinnia", phone }), profile({ name: "Rosebud Larkspur", phone })];
    assert.equal(verdictOf(compare(a, b)), "same");
    assert.equal(verdictOf(compare(a, b, new Set([phone]))), "different");
  });

  it("takes a suite for one however it is written, in the street or beside it", () => {
    const units = ["Suite 200", "Ste 200", "Ste. #200", "Unit 200", "#200", "200"].flatMap((unit) => [
      { street: street.street, unit },
      { street: `${street.street} ${unit}` },
    ]);
    const told = units.slice(0, -1).map((address) => profile({ name, address }).unit);
    assert.deepEqual(told, Array(told.length).fill("200"));
    assert.equal(profile({ name, address: { street: "27 W Washington St", unit: "Bldg F Ste 10" } }).unit, "f 10");
  });

  it("measures words as Winkler's paper does", () => {
    for (const [a, b, expected] of [
      ["martha", "marhta", 0.961],
      ["dwayne", "duane", 0.84],
      ["dixon", "dicksonx", 0.813],
      ["abc", "xyz", 0],
    ] as const)
      assert.equal(Math.round(jaroWinkler(a, b) * 1_000) / 1_000, expected);
  });

  it("knows one slip from two, and from none", () => {
    for (const b of ["1125", "124", "11234", "1214"]) assert.ok(oneSlip("1124", b), b);
    for (const b of ["1124", "1135", "12", "4211"]) assert.ok(!oneSlip("1124", b), b);
  });
});

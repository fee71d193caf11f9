import assert from "node:assert/strict";
import { keysOf } from "../../../services/dedupe/keys.ts";
import { profileOf } from "../../../services/dedupe/profile.ts";
import { nameWords, readStreet } from "../../../services/dedupe/words.ts";
import { isSharedDomain } from "../../../services/intake/shared-domains.ts";
import type { Lead, LeadFields } from "../../../services/leads/lead.ts";
import { aLead } from "../../support/leads.ts";

describe("matching keys", () => {
  const joined = (name: string) => nameWords(name).join("");
  const sameNames: [string, string][] = [
    ["The Bakery, Inc.", "bakery"],
    ["Café Zoë", "CAFE ZOE"],
    ["St. Lucy's School", "Saint Lucys School"],
    ["Bob & Sue LLC", "Bob and Sue"],
    ["A.B.C. Day Care", "ABC Daycare"],
    ["Bäckerei Groß GmbH & Co. KG", "Backerei Gross GmbH and Co"],
    ["Smith Co., Ltd.", "smith"],
  ];
  for (const [a, b] of sameNames) it(`takes "${a}" and "${b}" for one name`, () => assert.equal(joined(a), joined(b)));

  const otherNames: [string, string][] = [
    ["Bakery I", "Bakery II"],
    ["The The", "Them"],
    ["Coop", "Co"],
    ["Teddy Bear 1", "Teddy Bear 2"],
    ["Łódź Bar", "Bar"],
  ];
  for (const [a, b] of otherNames) it(`keeps "${a}" and "${b}" apart`, () => assert.notEqual(joined(a), joined(b)));

  it("leaves something of a name that is all legal form, and nothing of one that is all signs", () => {
    assert.equal(joined("Company Inc"), "co");
    assert.equal(joined("The"), "the");
    assert.equal(joined("!!! ???"), "");
  });

  const streets: [string, string][] = [
    ["27 W. Washington St", "27 washington"],
    ["27 West Washington Street, Suite 200", "27 washington"],
    ["27 Washington #4B", "27 washington"],
    ["5701 W Midway Park", "5701 midwaypark"],
    ["2527 E 73RD STREET", "2527 73"],
    ["2527 East 73rd", "2527 73"],
    ["12 Fifth Avenue", "12 5"],
    ["12 North Ave", "12 north"],
    ["5 Court St.", "5 court"],
    ["1 South", "1 south"],
    ["Friesener Straße 1", "1 friesenerstrasse"],
    ["31a Geelsebaan", "31a geelsebaan"],
    ["P.O. Box 12", "12 box"],
    ["Washington Street", ""],
    ["27", ""],
    ["", ""],
  ];
  for (const [street, expected] of streets)
    it(`reads "${street}" as "${expected}"`, () => {
      const { number, street: words } = readStreet(street);
      assert.equal([number, words.join("")].join(" ").trim(), expected);
    });

  const full: LeadFields = {
    name: "Rosebud Bakery",
    phone: "+13125550142",
    email: "anna@rosebud.example",
    website: "https://rosebud.example/",
    domain: "rosebud.example",
    address: { street: "27 Washington St", zip: "60602" },
  };
  const keys = (given: Partial<Lead>) => {
    const lead = aLead({ sourceId: "s1", ...given });
    return keysOf(lead.tenant, profileOf(lead, lead.fields));
  };
  const kinds = (fields: LeadFields) => keys({ fields }).map((key) => key.kind);

  it("are each contact, the address, the rarest word at the number, and the name", () => {
    assert.deepEqual(kinds(full), ["phone", "web", "address", "word", "name"]);
  });

  it("leave out what is not known, and every shared domain", () => {
    assert.deepEqual(kinds({ name: "Bakery" }), ["name"]);
    assert.deepEqual(kinds({ name: "!!!", phone: "+13125550142" }), ["phone"]);
    assert.deepEqual(kinds({ name: "Bakery", domain: "facebook.com" }), ["name"]);
    assert.deepEqual(kinds({ name: "Bakery", email: "rosebud@gmail.com" }), ["web", "name"]);
    assert.deepEqual(kinds({ name: "Bakery", email: "a@rosebud.example", domain: "bread.example" }), [
      "web",
      "web",
      "name",
    ]);
  });

  it("tie an e-mail address to its domain, but not at a mail service", () => {
    const lows = (fields: Partial<LeadFields>) => keys({ fields: { name: "!!!", ...fields } }).map(({ low }) => low);
    assert.deepEqual(lows({ email: "a@rosebud.example" }), lows({ domain: "rosebud.example" }));
    assert.deepEqual(lows({ email: "a@rosebud.example" }), lows({ email: "b@rosebud.example" }));
    assert.notDeepEqual(lows({ email: "a@gmail.com" }), lows({ email: "b@gmail.com" }));
  });

  it("are a range of all who share it, and in it a point of those who share its narrowing too", () => {
    const named = (name: string) => keys({ fields: { name, phone: "+13125550142" } })[0]!;
    const [one, same, other] = [named("Rosebud"), named("The Rosebud, Inc."), named("Tulip")];
    assert.equal(one.value, same.value);
    assert.notEqual(one.value, other.value);
    assert.deepEqual([one.low, one.high], [other.low, other.high]);
    for (const { low, high, value } of [one, other]) {
      assert.ok(BigInt(low) <= BigInt(value) && BigInt(value) <= BigInt(high));
      assert.equal(BigInt(high) - BigInt(low), 2n ** 24n - 1n);
      assert.equal(BigInt.asIntN(64, BigInt(low)), BigInt(low));
    }
  });

  const meets: [string, Partial<LeadFields>][] = [
    ["a slip in the name and no contact", { name: "Rosebd Bakery", phone: "", email: "", domain: "" }],
    ["a slip in the street", { address: { street: "27 Washingtn", zip: "60602" }, phone: "", email: "", domain: "" }],
    ["a slip in the number", { address: { street: "72 Washington", zip: "60602" }, phone: "", email: "", domain: "" }],
    ["words in another order", { name: "Bakery Rosebud", phone: "", email: "", domain: "", address: {} }],
    ["another phone and no address", { phone: "+13125550143", address: {} }],
  ];
  for (const [what, change] of meets)
    it(`are shared despite ${what}`, () => {
      const lows = new Set(keys({ fields: full }).map(({ low }) => low));
      const other = keys({ sourceId: "s2", fields: { ...full, ...change } });
      assert.ok(other.some(({ low }) => lows.has(low)));
    });

  it("differ by tenant, and by kind", () => {
    const low = (tenant: string) => keys({ tenant, fields: { name: "Bakery" } })[0]!.low;
    assert.notEqual(low("one"), low("other"));
    const all = keys({ fields: { name: "x", phone: "x", domain: "x", address: { street: "1 x" } } }).map((k) => k.low);
    assert.equal(new Set(all).size, all.length);
  });

  it("know shared domains by what they stand under", () => {
    assert.ok(isSharedDomain("Facebook.com"));
    assert.ok(isSharedDomain("shop.wixsite.com"));
    assert.ok(!isSharedDomain("notfacebook.com"));
    assert.ok(!isSharedDomain("com"));
  });
});

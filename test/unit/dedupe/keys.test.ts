import assert from "node:assert/strict";
import { keysOf, normaliseName, normaliseStreet } from "../../../services/dedupe/keys.ts";
import { isSharedDomain } from "../../../services/dedupe/shared-domains.ts";
import type { LeadFields } from "../../../services/leads/lead.ts";
import { aLead } from "../../support/leads.ts";

describe("matching keys", () => {
  const sameNames: [string, string][] = [
    ["The Bakery, Inc.", "bakery"],
    ["Café Zoë", "CAFE ZOE"],
    ["St. Lucy's School", "Saint Lucys School"],
    ["Bob & Sue LLC", "Bob and Sue"],
    ["A.B.C. Day Care", "ABC Daycare"],
    ["Bäckerei Groß GmbH & Co. KG", "Backerei Gross GmbH and Co"],
    ["Smith Co., Ltd.", "smith"],
  ];
  for (const [a, b] of sameNames)
    it(`takes "${a}" and "${b}" for one name`, () => assert.equal(normaliseName(a), normaliseName(b)));

  const otherNames: [string, string][] = [
    ["Bakery I", "Bakery II"],
    ["The The", "Them"],
    ["Coop", "Co"],
    ["Teddy Bear 1", "Teddy Bear 2"],
    ["Łódź Bar", "Bar"],
  ];
  for (const [a, b] of otherNames)
    it(`keeps "${a}" and "${b}" apart`, () => assert.notEqual(normaliseName(a), normaliseName(b)));

  it("leaves something of a name that is all legal form, and nothing of one that is all signs", () => {
    assert.equal(normaliseName("Company Inc"), "company");
    assert.equal(normaliseName("The"), "the");
    assert.equal(normaliseName("!!! ???"), "");
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
    ["P.O. Box 12", "box 12"],
    ["Washington Street", ""],
    ["27", ""],
    ["", ""],
  ];
  for (const [street, expected] of streets)
    it(`reads "${street}" as "${expected}"`, () => assert.equal(normaliseStreet(street), expected));

  const full: LeadFields = {
    name: "Bakery",
    phone: "+13125550142",
    email: "anna@bakery.example",
    website: "https://bakery.example/",
    domain: "bakery.example",
    address: { street: "27 Washington St", zip: "60602" },
  };
  const kinds = (fields: LeadFields, sourceId: string | undefined = "s1") => {
    const { sourceId: _, ...lead } = aLead({ fields });
    return keysOf(sourceId === undefined ? lead : { ...lead, sourceId }).map((key) => key.kind);
  };

  it("are a contact and a second field each, the lead's identity first", () => {
    assert.deepEqual(kinds(full), [
      "source",
      "phone_name",
      "phone_address",
      "email_name",
      "email_address",
      "domain_name",
      "domain_address",
    ]);
    const { sourceId: _, ...unnamed } = aLead({ fields: full });
    assert.equal(keysOf(unnamed)[0]!.kind, "lead");
  });

  it("leave out what is not known, and every shared domain", () => {
    assert.deepEqual(kinds({ name: "Bakery" }), ["source"]);
    assert.deepEqual(kinds({ name: "!!!", phone: "+13125550142" }), ["source"]);
    assert.deepEqual(kinds({ name: "Bakery", domain: "facebook.com" }), ["source"]);
    assert.deepEqual(kinds({ name: "Bakery", phone: "+13125550142", address: { city: "Chicago" } }), [
      "source",
      "phone_name",
    ]);
  });

  it("tie a domain to an address only with the place, as a chain's site covers many towns", () => {
    const at = (address: object) => {
      const lead = aLead({ sourceId: "s", fields: { name: "B", domain: "chain.example", address } });
      return keysOf(lead).find((key) => key.kind === "domain_address")?.value;
    };
    assert.equal(at({ street: "100 Main St" }), undefined);
    assert.notEqual(at({ street: "100 Main St", zip: "60602" }), at({ street: "100 Main St", zip: "60603" }));
    assert.equal(at({ street: "100 Main St", city: "Oak Park" }), at({ street: "100 Main", city: "OAK PARK" }));
  });

  it("differ by tenant, by kind and by where one value ends and the next begins", () => {
    const value = (given: object) => keysOf({ ...aLead({ sourceId: "1", source: "a" }), ...given })[0]!.value;
    const values = [
      value({}),
      value({ tenant: "other" }),
      value({ source: "a\n1", sourceId: "" }),
      value({ sourceId: "2" }),
    ];
    assert.equal(new Set(values).size, values.length);
    const all = keysOf(aLead({ fields: { name: "x", phone: "y", email: "y", domain: "y" } })).map((key) => key.value);
    assert.equal(new Set(all).size, all.length);
    for (const one of all) assert.match(one, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  it("know shared domains by what they stand under", () => {
    assert.ok(isSharedDomain("Facebook.com"));
    assert.ok(isSharedDomain("shop.wixsite.com"));
    assert.ok(!isSharedDomain("notfacebook.com"));
    assert.ok(!isSharedDomain("com"));
  });
});

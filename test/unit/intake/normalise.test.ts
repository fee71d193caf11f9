import assert from "node:assert/strict";
import { limits } from "../../../services/intake/limits.ts";
import { accepted, context, fieldsOf, refused } from "./support.ts";

describe("intake: a lead as a whole", () => {
  it("keeps what is right and says where it comes from", () => {
    const lead = accepted({ name: "Joe's Bar", phone: "(312) 555-0100", source: "list", sourceId: "7", tier: 2 });
    assert.equal(lead.tenant, "acme");
    assert.equal(lead.source, "list");
    assert.equal(lead.sourceId, "7");
    assert.equal(lead.tier, 2);
    assert.equal(lead.trust, "imported");
    assert.equal(lead.revision, context.now);
    assert.deepEqual(lead.fields, { name: "Joe's Bar", phone: "+13125550100" });
    assert.equal(lead.warnings, undefined);
    assert.deepEqual([lead.facts, lead.timeline], [{}, []]);
  });

  it("refuses with every field's fault at once", () => {
    const faults = refused({
      name: " ",
      phone: "123",
      email: "01/31/13",
      website: "Yes",
      nmae: "Joe",
      tenant: "other",
    });
    assert.deepEqual(fieldsOf(faults).sort(), ["email", "lead", "name", "nmae", "phone", "tenant", "website"]);
    assert.match(faults.find(({ field }) => field === "email")!.message, /"01\/31\/13" is not an e-mail address/);
  });

  it("refuses a lead that nothing reaches or places, however much else is known", () => {
    assert.deepEqual(fieldsOf(refused({ name: "Joe's Bar", vertical: "bar", rating: 4.5, state: "IL" })), [
      "lead",
      "address",
    ]);
  });

  it("takes any one of phone, e-mail, web site and address as enough", () => {
    for (const way of [
      { phone: "3125550100" },
      { email: "joe@bar.example" },
      { website: "bar.example" },
      { city: "Elgin" },
    ])
      accepted({ name: "Joe's Bar", ...way });
  });

  it("drops bad optional fields with a warning each, and keeps the lead", () => {
    const lead = accepted({
      name: "Hayes Center",
      address: "4859 S. Wabash",
      website: "Yes",
      email: "01/31/13",
      phone: "7.73E+016",
      rating: 7,
      foundedYear: 2099,
      tier: 9,
      trust: "sure",
      categories: { a: 1 },
      multipleLocations: "perhaps",
    });
    assert.deepEqual(fieldsOf(lead.warnings).sort(), [
      "categories",
      "email",
      "foundedYear",
      "multipleLocations",
      "phone",
      "rating",
      "tier",
      "trust",
      "website",
    ]);
    assert.deepEqual(lead.fields, { name: "Hayes Center", address: { street: "4859 S. Wabash", country: "US" } });
    assert.equal(lead.tier, undefined);
    assert.equal(lead.trust, "imported");
  });

  it("names the field of a wrong JSON type", () => {
    assert.deepEqual(refused({ name: 5, phone: "3125550100" }), [
      { field: "name", message: "must be text, is a number" },
    ]);
    assert.deepEqual(accepted({ name: "A", phone: "3125550100", address: [], email: {}, website: true }).warnings, [
      { field: "email", message: "must be text, is an object" },
      { field: "address", message: "must be text or an object, is a list" },
      { field: "website", message: "must be text, is a boolean" },
    ]);
    for (const raw of [null, undefined, [], "Joe", 5]) assert.deepEqual(fieldsOf(refused(raw)), [""]);
  });

  it("takes null and blank text as not told", () => {
    const lead = accepted({
      name: "A",
      phone: "3125550100",
      email: null,
      website: "",
      address: "  \n",
      rating: "",
      tier: null,
    });
    assert.equal(lead.warnings, undefined);
  });

  it("names unknown fields, ten of them one by one", () => {
    const raw = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`x${n}`, n]));
    const faults = refused({ name: "A", phone: "3125550100", ...raw });
    assert.equal(faults.length, 11);
    assert.match(faults.at(-1)!.message, /15 more fields/);
    assert.deepEqual(fieldsOf(refused(JSON.parse('{"name":"A","phone":"3125550100","__proto__":{"a":1}}'))), [
      "__proto__",
    ]);
    assert.deepEqual(fieldsOf(refused({ name: "A", phone: "3125550100", constructor: 1, toString: 2 })), [
      "constructor",
      "toString",
    ]);
  });

  it("refuses a source key that is not text: the id hangs on it", () => {
    assert.deepEqual(fieldsOf(refused({ name: "A", phone: "3125550100", sourceId: {} })), ["sourceId"]);
    assert.deepEqual(fieldsOf(refused({ name: "A", phone: "3125550100", sourceId: "x".repeat(201) })), ["sourceId"]);
    assert.deepEqual(fieldsOf(refused({ name: "A", phone: "3125550100", source: 5 })), ["source"]);
    assert.equal(accepted({ name: "A", phone: "3125550100", sourceId: 12 }).sourceId, "12");
  });

  it("cleans names: line breaks, controls, NUL, odd spaces, marks apart from their letters", () => {
    const name = (raw: string) => accepted({ name: raw, phone: "3125550100" }).fields.name;
    assert.equal(
      name("Chicago Commons\nAssociation  Kimball\u00a0Day Care "),
      "Chicago Commons Association Kimball Day Care",
    );
    assert.equal(name("A\u0000B\u200b\u202eC\ufeff"), "ABC");
    assert.equal(name("Cafe\u0301"), "Caf\u00e9");
    assert.equal(name("lone \ud800 surrogate"), "lone \ufffd surrogate");
    assert.equal(name("<b>Joe</b> & Sons"), "<b>Joe</b> & Sons");
    assert.equal(name("\u6771\u4eac\u30d3\u30fc\u30eb"), "\u6771\u4eac\u30d3\u30fc\u30eb");
  });

  it("refuses names that are none", () => {
    for (const name of ["N/A", "none", "TBD", "---", "?", "\u0000", "x".repeat(limits.name + 1)])
      assert.deepEqual(fieldsOf(refused({ name, phone: "3125550100" })), ["name"], name);
    accepted({ name: "None Such Brewing", phone: "3125550100" });
    accepted({ name: "x".repeat(limits.name), phone: "3125550100" });
  });

  it("reads numbers in their ranges, as numbers or as people write them", () => {
    const { fields } = accepted({
      name: "A",
      phone: "3125550100",
      reviewCount: "1,234",
      rating: "4.5",
      revenue: "$2,500,000.50",
      employeeCount: 0,
      foundedYear: "1987",
      socialFollowers: 10,
      multipleLocations: "Yes",
    });
    assert.deepEqual(fields, {
      name: "A",
      phone: "+13125550100",
      reviewCount: 1234,
      rating: 4.5,
      employeeCount: 0,
      revenue: 2_500_000.5,
      socialFollowers: 10,
      foundedYear: 1987,
      multipleLocations: true,
    });
    for (const bad of ["1,23", "ten", -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1e3", [], true])
      assert.deepEqual(fieldsOf(accepted({ name: "A", phone: "3125550100", reviewCount: bad }).warnings), [
        "reviewCount",
      ]);
    assert.equal(accepted({ name: "A", phone: "3125550100", foundedYear: 2027 }).fields.foundedYear, 2027);
    assert.deepEqual(fieldsOf(accepted({ name: "A", phone: "3125550100", foundedYear: 2028 }).warnings), [
      "foundedYear",
    ]);
  });

  it("makes slugs of verticals and categories", () => {
    const { fields, warnings } = accepted({
      name: "A",
      phone: "3125550100",
      vertical: "Caf\u00e9s & Bars",
      categories: ["Child Care", "child-care", "Joe's", 5, ""],
    });
    assert.equal(fields.vertical, "cafes-and-bars");
    assert.deepEqual(fields.categories, ["child-care", "joes"]);
    assert.deepEqual(fieldsOf(warnings), ["categories"]);
    assert.deepEqual(accepted({ name: "A", phone: "3125550100", categories: "Beer; Wine, Food" }).fields.categories, [
      "beer",
      "wine",
      "food",
    ]);
    assert.equal(accepted({ name: "A", phone: "3125550100" }, { vertical: "brewery" }).fields.vertical, "brewery");
  });
});

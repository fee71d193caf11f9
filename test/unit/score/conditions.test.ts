import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Facts, Lead, LeadFields } from "../../../services/leads/lead.ts";
import { compileRules } from "../../../services/score/compile.ts";
import { conditions } from "../../../services/score/conditions.ts";
import { aLead } from "../../support/leads.ts";

interface Case {
  /** The condition as the file has it. */
  condition: string;
  holds: Lead[];
  fails: Lead[];
  /** Leads of which the fact is not known: neither this condition nor its opposite holds. */
  unknown: Lead[];
}

const withFields = (fields: Partial<LeadFields>, rest: Partial<Lead> = {}) =>
  aLead({ ...rest, fields: { name: "Some business", ...fields } });
const withFacts = (facts: Facts) => aLead({ fields: { name: "Some business" }, facts });
const site = (facts: Partial<Facts["site"] & object>) => withFacts({ site: { status: "ok", ...facts } });
const uses = (name: string, version?: string) =>
  site({ technologies: [{ name: "Other" }, { name, ...(version && { version }) }] });
const speed = (pagespeed: Facts["pagespeed"] & object) => withFacts({ pagespeed });
const at = (address: LeadFields["address"] & object) => withFields({ address });
const nothing = withFields({});

const cases: Record<string, Case> = {
  tech_stack_contains: {
    condition: "jQuery",
    holds: [uses("jQuery"), uses("JQUERY", "1.2")],
    fails: [uses("jQuery UI"), site({ technologies: [] })],
    unknown: [nothing, site({})],
  },
  tech_stack_contains_any: {
    condition: "[WordPress, Joomla]",
    holds: [uses("Joomla"), uses("wordpress")],
    fails: [uses("Drupal")],
    unknown: [nothing],
  },
  tech_stack_version_lt: {
    condition: '{ technology: jQuery, version: "3" }',
    holds: [uses("jQuery", "1.12.4"), uses("jquery", "2"), uses("jQuery", "2.9.9-beta")],
    fails: [uses("jQuery", "3"), uses("jQuery", "3.0"), uses("jQuery", "10.1"), uses("Other", "1")],
    unknown: [nothing, uses("jQuery"), uses("jQuery", "latest")],
  },
  tech_stack_version_gt: {
    condition: "{ technology: PHP, version: 7.10 }",
    holds: [uses("PHP", "7.10.1"), uses("PHP", "7.11"), uses("PHP", "8"), uses("PHP", "v8.1")],
    fails: [uses("PHP", "7.9"), uses("PHP", "7.10"), uses("PHP", "7.10.0"), uses("Other", "9")],
    unknown: [nothing, uses("PHP"), uses("PHP", "?")],
  },
  performance_score_lt: {
    condition: "50",
    holds: [speed({ performance: 49 }), speed({ performance: 0 })],
    fails: [speed({ performance: 50 })],
    unknown: [nothing, speed({})],
  },
  performance_score_gt: {
    condition: "90",
    holds: [speed({ performance: 91 })],
    fails: [speed({ performance: 90 })],
    unknown: [nothing, speed({})],
  },
  performance_score_between: {
    condition: "{ min: 50, max: 69 }",
    holds: [speed({ performance: 50 }), speed({ performance: 69 })],
    fails: [speed({ performance: 49 }), speed({ performance: 70 })],
    unknown: [nothing, speed({})],
  },
  lcp_gt: {
    condition: "4000",
    holds: [speed({ lcpMs: 4001 })],
    fails: [speed({ lcpMs: 4000 })],
    unknown: [nothing, speed({})],
  },
  cls_gt: {
    condition: "0.25",
    holds: [speed({ cls: 0.26 })],
    fails: [speed({ cls: 0.25 })],
    unknown: [nothing, speed({})],
  },
  seo_score_lt: {
    condition: "70",
    holds: [speed({ seo: 69 })],
    fails: [speed({ seo: 70 })],
    unknown: [nothing, speed({})],
  },
  accessibility_score_lt: {
    condition: "70",
    holds: [speed({ accessibility: 69 })],
    fails: [speed({ accessibility: 70 })],
    unknown: [nothing, speed({})],
  },
  semrush_errors_gt: {
    condition: "100",
    holds: [withFacts({ semrush: { errors: 101 } })],
    fails: [withFacts({ semrush: { errors: 100 } })],
    unknown: [nothing, withFacts({ semrush: {} })],
  },
  semrush_traffic_lt: {
    condition: "50",
    holds: [withFacts({ semrush: { organicTraffic: 0 } })],
    fails: [withFacts({ semrush: { organicTraffic: 50 } })],
    unknown: [nothing, withFacts({ semrush: { status: "failed" } })],
  },
  semrush_keywords_lt: {
    condition: "10",
    holds: [withFacts({ semrush: { organicKeywords: 9 } })],
    fails: [withFacts({ semrush: { organicKeywords: 10 } })],
    unknown: [nothing, withFacts({ semrush: {} })],
  },
  semrush_score_lt: {
    condition: "60",
    holds: [withFacts({ semrush: { score: 59 } })],
    fails: [withFacts({ semrush: { score: 60 } })],
    unknown: [nothing, withFacts({ semrush: {} })],
  },
  category_contains_any: {
    condition: "[plumb, Child Care]",
    holds: [
      withFields({ categories: ["food", "Plumbing"] }),
      withFields({ vertical: "plumbers" }),
      withFields({ vertical: "child-care" }),
      withFields({ categories: ["child_care_center"] }),
    ],
    fails: [withFields({ categories: ["food"], vertical: "restaurant" })],
    unknown: [nothing],
  },
  vertical_in: {
    condition: "[plumber, child care]",
    holds: [withFields({ vertical: "Plumber" }), withFields({ vertical: "child-care" })],
    fails: [withFields({ vertical: "plumbers" }), withFields({ vertical: "dentist" })],
    unknown: [nothing],
  },
  vertical_not_in: {
    condition: "[plumber]",
    holds: [withFields({ vertical: "dentist" })],
    fails: [withFields({ vertical: "plumber" })],
    unknown: [nothing],
  },
  location_in: {
    condition: "[Chicago, IL, 02139, Bayern, Texas, New York]",
    holds: [
      at({ city: "Austin", state: "TX", zip: "78701" }),
      at({ city: "New York" }),
      at({ city: "Buffalo", state: "NY" }),
      at({ city: "chicago" }),
      at({ state: "IL", city: "Cicero" }),
      at({ zip: "02139" }),
      at({ state: "Bayern" }),
    ],
    fails: [at({ city: "Boston", state: "MA", zip: "60601" }), at({ city: "Il" }), at({ zip: "2139" })],
    unknown: [nothing, at({ street: "1 Main St" })],
  },
  location_not_in: {
    condition: "[Chicago, IN, 60302, Texas]",
    holds: [at({ city: "Boston", state: "MA", zip: "02139" })],
    fails: [
      at({ city: "Austin", state: "TX", zip: "78701" }),
      at({ city: "Chicago", state: "IL", zip: "60601" }),
      at({ city: "Gary", state: "IN", zip: "46402" }),
      at({ city: "Oak Park", state: "IL", zip: "60302" }),
    ],
    unknown: [
      nothing,
      at({ city: "Boston", state: "MA" }),
      at({ state: "MA", zip: "02139" }),
      at({ city: "Boston", zip: "02139" }),
    ],
  },
  state_equals: {
    condition: "il",
    holds: [at({ state: "IL" })],
    fails: [at({ state: "IN" }), at({ state: "ILL" })],
    unknown: [nothing, at({ city: "Chicago" })],
  },
  website_missing: {
    condition: "true",
    holds: [nothing, withFields({ website: "" })],
    fails: [withFields({ website: "https://a.example/" })],
    unknown: [],
  },
  website_unreachable: {
    condition: "true",
    holds: [undefined, "dns", "refused", "tls", "timeout", "redirects", "http_404", "http_410", "http_503"].map(
      (reason) => withFacts({ site: { status: "unreachable", ...(reason && { reason }) } }),
    ),
    fails: [site({})],
    unknown: [
      nothing,
      withFacts({ site: { status: "not_fetched" } }),
      withFacts({ site: { status: "disallowed" } }),
      ...["http_401", "http_403", "http_406", "http_429", "too_large", "not_html", "bad_url", "blocked_address"].map(
        (reason) => withFacts({ site: { status: "unreachable", reason } }),
      ),
    ],
  },
  website_contains_any: {
    condition: "[Facebook.com, wix]",
    holds: [
      withFields({ website: "https://www.facebook.com/joes" }),
      withFields({ website: "http://joes.WIXsite.com/" }),
    ],
    fails: [withFields({ website: "https://joes.example/" })],
    unknown: [nothing],
  },
  has_viewport: {
    condition: "true",
    holds: [site({ viewport: true }), speed({ viewport: true })],
    fails: [
      site({ viewport: false }),
      withFacts({ pagespeed: { viewport: false }, site: { status: "ok", viewport: true } }),
    ],
    unknown: [nothing, site({})],
  },
  has_social_media: {
    condition: "true",
    holds: [site({ social: { facebook: "https://facebook.com/a" } })],
    fails: [site({ social: {} }), site({})],
    unknown: [nothing, withFacts({ site: { status: "not_fetched" } })],
  },
  social_followers_gt: {
    condition: "100",
    holds: [withFields({ socialFollowers: 101 })],
    fails: [withFields({ socialFollowers: 100 })],
    unknown: [nothing],
  },
  has_contact_form: {
    condition: "true",
    holds: [site({ contactForm: true })],
    fails: [site({ contactForm: false })],
    unknown: [nothing, site({})],
  },
  has_phone_number: {
    condition: "true",
    holds: [withFields({ phone: "+13125550100" }), site({ phones: ["+13125550100"] })],
    fails: [nothing, site({ phones: [] })],
    unknown: [],
  },
  has_email: {
    condition: "true",
    holds: [withFields({ email: "a@b.example" }), site({ emails: ["a@b.example"] })],
    fails: [nothing, site({ emails: [] })],
    unknown: [],
  },
  has_multiple_locations: {
    condition: "true",
    holds: [withFields({ multipleLocations: true })],
    fails: [withFields({ multipleLocations: false })],
    unknown: [nothing],
  },
  review_count_gt: {
    condition: "50",
    holds: [withFields({ reviewCount: 51 })],
    fails: [withFields({ reviewCount: 50 })],
    unknown: [nothing],
  },
  review_count_lt: {
    condition: "5",
    holds: [withFields({ reviewCount: 0 })],
    fails: [withFields({ reviewCount: 5 })],
    unknown: [nothing],
  },
  page_count_gt: {
    condition: "3",
    holds: [site({ pageCount: 4 })],
    fails: [site({ pageCount: 3 })],
    unknown: [nothing, site({})],
  },
  page_count_lt: {
    condition: "3",
    holds: [site({ pageCount: 2 })],
    fails: [site({ pageCount: 3 })],
    unknown: [nothing, site({})],
  },
  employee_count_gt: {
    condition: "250",
    holds: [withFields({ employeeCount: 251 })],
    fails: [withFields({ employeeCount: 250 })],
    unknown: [nothing],
  },
  employee_count_lt: {
    condition: "3",
    holds: [withFields({ employeeCount: 2 })],
    fails: [withFields({ employeeCount: 3 })],
    unknown: [nothing],
  },
  revenue_gt: {
    condition: "1000000",
    holds: [withFields({ revenue: 1_000_001 })],
    fails: [withFields({ revenue: 1_000_000 })],
    unknown: [nothing],
  },
  revenue_lt: {
    condition: "1000000",
    holds: [withFields({ revenue: 0 })],
    fails: [withFields({ revenue: 1_000_000 })],
    unknown: [nothing],
  },
  founded_year_gt: {
    condition: "2015",
    holds: [withFields({ foundedYear: 2016 })],
    fails: [withFields({ foundedYear: 2015 })],
    unknown: [nothing],
  },
  founded_year_lt: {
    condition: "2005",
    holds: [withFields({ foundedYear: 2004 })],
    fails: [withFields({ foundedYear: 2005 })],
    unknown: [nothing],
  },
  tier_gt: { condition: "1", holds: [aLead({ tier: 2 })], fails: [aLead({ tier: 1 })], unknown: [] },
  tier_equals: {
    condition: "2",
    holds: [aLead({ tier: 2 })],
    fails: [aLead({ tier: 1 }), aLead({ tier: 3 })],
    unknown: [],
  },
};

const booleans = Object.entries(conditions).flatMap(([name, { argument }]) => (argument === "boolean" ? [name] : []));

function fires(condition: string, lead: Lead): boolean {
  const rules = compileRules(`rules: [{ name: tried, condition: ${condition}, score: 1 }]`, "test.yml");
  return rules.score(lead).fired.length === 1;
}

describe("the conditions of the scoring rules", () => {
  it("are each tested here", () => {
    assert.deepEqual(Object.keys(cases).toSorted(), Object.keys(conditions).toSorted());
  });

  for (const [name, { condition, holds, fails, unknown }] of Object.entries(cases)) {
    it(`${name}: ${condition} holds where it should, fails where it should, and is false of what is not known`, () => {
      for (const lead of holds) assert.equal(fires(`{ ${name}: ${condition} }`, lead), true, JSON.stringify(lead));
      for (const lead of [...fails, ...unknown])
        assert.equal(fires(`{ ${name}: ${condition} }`, lead), false, JSON.stringify(lead));
    });
  }

  for (const name of booleans) {
    it(`${name}: false is true of the opposite, and false of what is not known`, () => {
      const { holds, fails, unknown } = cases[name]!;
      for (const lead of fails) assert.equal(fires(`{ ${name}: false }`, lead), true, JSON.stringify(lead));
      for (const lead of [...holds, ...unknown])
        assert.equal(fires(`{ ${name}: false }`, lead), false, JSON.stringify(lead));
    });
  }

  it("takes a state by its name or by its letters, in the US and in Canada", () => {
    for (const [state, lead] of [
      ["Texas", at({ state: "TX" })],
      ["new york", at({ state: "NY" })],
      ["Ontario", at({ state: "ON", country: "CA" })],
      ["Bayern", at({ state: "Bayern", country: "DE" })],
    ] as const) {
      assert.equal(fires(`{ state_equals: ${state} }`, lead), true, state);
      assert.equal(fires(`{ location_not_in: [${state}] }`, lead), false, state);
    }
    assert.equal(fires("{ state_equals: Texas }", at({ city: "Texas", state: "IL" })), false);
  });

  it("takes a null from elsewhere for not known", () => {
    const lead = withFacts({ pagespeed: { performance: null as unknown as number } });
    assert.equal(fires("{ performance_score_lt: 50 }", lead), false);
  });

  it("ANDs the keys of one condition", () => {
    const condition = "{ has_phone_number: true, has_email: true }";
    assert.equal(fires(condition, withFields({ phone: "+13125550100", email: "a@b.example" })), true);
    assert.equal(fires(condition, withFields({ phone: "+13125550100" })), false);
    assert.equal(fires(condition, withFields({ email: "a@b.example" })), false);
  });

  it("nests all_of, any_of and none_of, beside other keys too", () => {
    const condition =
      "{ tier_equals: 1, any_of: [{ website_missing: true }, { all_of: [{ has_email: true }, { has_phone_number: true }] }], none_of: [{ review_count_lt: 5 }, { has_multiple_locations: true }] }";
    const reached = { website: "https://a.example/", email: "a@b.example", phone: "+13125550100" };
    assert.equal(fires(condition, withFields({})), true);
    assert.equal(fires(condition, withFields({}, { tier: 2 })), false);
    assert.equal(fires(condition, withFields({ reviewCount: 4 })), false);
    assert.equal(fires(condition, withFields({ multipleLocations: true })), false);
    assert.equal(fires(condition, withFields(reached)), true);
    assert.equal(fires(condition, withFields({ ...reached, phone: "" })), false);
  });

  it("holds none_of a comparison with something that is not known", () => {
    assert.equal(fires("{ none_of: [{ performance_score_lt: 50 }] }", nothing), true);
    assert.equal(fires("{ none_of: [{ performance_score_lt: 50 }] }", speed({ performance: 49 })), false);
  });

  it("stand in docs/scoring.md, every one", () => {
    const docs = readFileSync(new URL("../../../docs/scoring.md", import.meta.url), "utf8");
    const missing = [...Object.keys(conditions), "all_of", "any_of", "none_of"].filter(
      (name) => !docs.includes(`\`${name}\``),
    );
    assert.deepEqual(missing, []);
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Lead, LeadFields } from "../../../services/leads/lead.ts";
import { draft, tradeOf } from "../../../services/mockup/draft.ts";
import { improvementsOf } from "../../../services/mockup/improvements.ts";
import { palettes } from "../../../services/mockup/palettes.ts";
import { siteRules } from "../../../services/mockup/site-rules.ts";
import { anyTrade, trades } from "../../../services/mockup/trades.ts";
import { aLead } from "../../support/leads.ts";

const withFields = (fields: Partial<LeadFields>, rest: Partial<Lead> = {}) =>
  aLead({ ...rest, fields: { name: "Sunrise", ...fields } });
const scored = (...fired: [string, number][]) => ({
  value: 80,
  version: "v",
  fired: fired.map(([name, points]) => ({ name, points })),
});

describe("a mock-up's draft", () => {
  const templates: [Partial<LeadFields>, string][] = [
    [{ vertical: "brewery" }, "brewery"],
    [{ categories: ["micro", "brewpub"] }, "brewery"],
    [{ vertical: "restaurant" }, "restaurant"],
    [{ vertical: "child-care" }, "childcare"],
    [{ vertical: "early_childhood" }, "childcare"],
    [{ vertical: "plumber" }, "trades"],
    [{ vertical: "roofing" }, "trades"],
    [{ vertical: "hvac" }, "trades"],
    [{ vertical: "dentist" }, "health"],
    [{ vertical: "law-firm" }, "legal"],
    [{ categories: ["auto-repair"] }, "auto"],
    [{ vertical: "hair-salon" }, "beauty"],
    [{ vertical: "gym" }, "fitness"],
    [{ vertical: "florist" }, "retail"],
    [{ vertical: "something else" }, "business"],
    [{ name: "Novak Plumbing & Sons" }, "trades"],
    [{ name: "Novak Plumbing & Sons", vertical: "bakery" }, "restaurant"],
    // A trade's word within another is an accident.
    [{ name: "Brewster Holdings" }, "business"],
    [{ name: "Residential Partners" }, "business"],
    [{}, "business"],
  ];
  for (const [fields, template] of templates) {
    it(`of ${JSON.stringify(fields)} takes the template ${template}`, () => {
      assert.equal(tradeOf(withFields(fields)).template, template);
    });
  }

  it("is the same for the same lead, and gets its palette by the lead's id", () => {
    const lead = withFields(
      { vertical: "dentist", address: { city: "Cicero" } },
      { score: scored(["no_viewport", 14]) },
    );
    assert.deepEqual(draft(lead), draft(structuredClone(lead)));
    const seen = new Set(Array.from({ length: 60 }, () => draft(withFields({ vertical: "dentist" })).palette));
    assert.deepEqual([...seen].toSorted(), [...tradeOf(lead).palettes].toSorted());
  });

  it("names the city where it is known, and leaves no gap where it is not", () => {
    assert.match(
      draft(withFields({ vertical: "gym", address: { city: "Cicero" } })).tagline,
      /see Sunrise in Cicero\./,
    );
    assert.match(draft(withFields({ vertical: "gym" })).tagline, /see Sunrise\./);
    for (const trade of [...trades, anyTrade]) {
      const told = JSON.stringify(draft(withFields({ vertical: trade.template })));
      assert.doesNotMatch(told, /[{}]name|\{in\}|undefined| {2}/);
    }
  });

  it("takes a name for text, not for a pattern of replacement", () => {
    assert.match(
      draft(withFields({ name: "Cash $& Carry $1 {in}", vertical: "gym" })).tagline,
      /see Cash \$& Carry \$1/,
    );
  });

  it("claims a founding year and a rating only where they are known and good to show", () => {
    const about = (fields: Partial<LeadFields>) => draft(withFields(fields)).sections.at(-1)!.items ?? [];
    assert.deepEqual(about({ foundedYear: 1998, rating: 4.56, reviewCount: 1213 }), [
      "Since 1998",
      "4.6 of 5 stars in 1,213 reviews",
    ]);
    assert.deepEqual(about({}), []);
    assert.deepEqual(about({ rating: 4.9 }), []);
    assert.deepEqual(about({ rating: 3.9, reviewCount: 500 }), []);
    assert.deepEqual(about({ rating: 5, reviewCount: 2 }), []);
    assert.deepEqual(about({ foundedYear: 12 }), []);
  });

  it("has no figure in it when nothing but a name is known", () => {
    for (const trade of [...trades, anyTrade]) {
      assert.doesNotMatch(JSON.stringify(draft(withFields({ vertical: trade.template })).sections), /\d/);
    }
  });

  it("names only the ways to reach the business that are known", () => {
    const body = (fields: Partial<LeadFields>) => draft(withFields(fields)).sections.at(-1)!.body;
    assert.equal(body({ phone: "+13125550100" }), "Call: we are glad to hear from you.");
    assert.equal(
      body({ phone: "+13125550100", email: "a@b.example", address: { street: "1 Main St", city: "Cicero" } }),
      "Sunrise is in Cicero. Call, write or come by: we are glad to hear from you.",
    );
  });

  it("lets the business speak in its site's own words, where those are words", () => {
    const body = (description: string) =>
      draft(withFields({}, { facts: { site: { status: "ok", description } } })).sections.at(-1)!.body;
    const own = "We bake bread the slow way, every morning, for everyone on our street";
    assert.equal(body(own), `${own}.`);
    assert.notEqual(body("Home | Wix"), "Home | Wix.");
    assert.doesNotMatch(
      body("Just another WordPress site about nothing in particular that somebody forgot to name"),
      /WordPress/,
    );
  });
});

describe("the improvements", () => {
  it("are sentences for the rules that raised the score, the weightiest first", () => {
    assert.deepEqual(improvementsOf(scored(["no_social_media", 4], ["no_viewport", 14])), [
      "On a phone your site shows as a shrunken desktop page, and visitors have to zoom to read it.",
      "We found no links to social media on your site.",
    ]);
  });

  it("leave out what lowered the score, multipliers, and rules about the business itself", () => {
    const fired = [
      { name: "no_viewport", points: -3 },
      { name: "no_contact_form", multiplier: 2 },
      { name: "well_reviewed", points: 6 },
    ];
    assert.deepEqual(improvementsOf({ value: 70, version: "v", fired }), []);
    assert.deepEqual(improvementsOf(undefined), []);
    assert.deepEqual(improvementsOf(scored(["constructor", 5])), []);
  });

  it("fall back to the description of a rule that looks at the site alone", () => {
    const rules = siteRules(`rules:
  - { name: uses_joomla, description: the site runs on Joomla, condition: { tech_stack_contains: Joomla }, score: 5 }
  - { name: nested, description: Old and slow, condition: { any_of: [{ lcp_gt: 1 }, { none_of: [{ page_count_gt: 3 }] }] }, score: 5 }
  - { name: rich, description: They have money, condition: { revenue_gt: 1 }, score: 5 }
  - { name: mixed, description: Rich and slow, condition: { lcp_gt: 1, revenue_gt: 1 }, score: 5 }`);
    assert.deepEqual(improvementsOf(scored(["uses_joomla", 5], ["nested", 4], ["rich", 3], ["mixed", 2]), rules), [
      "The site runs on Joomla.",
      "Old and slow.",
    ]);
  });

  it("tell nothing of rules whose file has no such thing as rules", () => {
    assert.deepEqual(siteRules("just text"), new Map());
    assert.deepEqual(siteRules("rules: [1, { name: 2 }]"), new Map());
  });

  it("are at most six", () => {
    const yaml = readFileSync(new URL("../../../config/scoring-rules.yml", import.meta.url), "utf8");
    const all = [...siteRules(yaml).keys()].map((name): [string, number] => [name, 5]);
    assert.equal(improvementsOf(scored(...all)).length, 6);
  });
});

describe("the palettes", () => {
  for (const [name, palette] of Object.entries(palettes)) {
    it(`${name} can be read: contrast is 4.5 : 1 or more`, () => {
      const pairs = [
        [palette.ink, palette.paper],
        [palette.ink, palette.tint],
        [palette.muted, palette.paper],
        [palette.muted, palette.tint],
        [palette.brand, palette.paper],
        [palette.brand, palette.tint],
        ["#ffffff", palette.brand],
        ["#ffffff", palette.deep],
        [palette.deep, palette.tint],
      ] as const;
      for (const [a, b] of pairs) assert.ok(contrast(a, b) >= 4.5, `${a} on ${b}: ${contrast(a, b).toFixed(2)}`);
    });
  }

  it("are all that the trades name", () => {
    const named = new Set([...trades, anyTrade].flatMap((trade) => trade.palettes));
    assert.deepEqual([...named].toSorted(), Object.keys(palettes).toSorted());
  });
});

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].toSorted((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

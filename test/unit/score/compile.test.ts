import assert from "node:assert/strict";
import { compileRules } from "../../../services/score/compile.ts";
import { RulesError } from "../../../services/score/reader.ts";
import { aLead } from "../../support/leads.ts";

const lead = aLead({ fields: { name: "Some business", phone: "+13125550100" } });
const always = "{ has_phone_number: true }";
const never = "{ has_phone_number: false }";

/** The faults of a file as `line rule: message`. */
function faultsOf(yaml: string): string[] {
  try {
    compileRules(yaml, "rules.yml");
  } catch (error) {
    assert.ok(error instanceof RulesError, String(error));
    return error.faults.map(({ line, rule, message }) => `${line} ${rule ? `${rule}: ` : ""}${message}`);
  }
  return [];
}

describe("the scoring rules", () => {
  it("add the rules in order, then multiply by the product of the multipliers", () => {
    const { score, version } = compileRules(
      `settings: { base_score: 10 }
rules:
  - { name: a, condition: ${always}, score: 20 }
  - { name: b, condition: ${never}, score: 40 }
  - { name: c, condition: ${always}, score: -5 }
multipliers:
  - { name: d, condition: ${always}, multiplier: 1.5 }
  - { name: e, condition: ${never}, multiplier: 9 }
  - { name: f, condition: ${always}, multiplier: 1.2 }`,
      "rules.yml",
    );
    assert.deepEqual(score(lead), {
      value: 45,
      version,
      fired: [
        { name: "a", points: 20 },
        { name: "c", points: -5 },
        { name: "d", multiplier: 1.5 },
        { name: "f", multiplier: 1.2 },
      ],
    });
  });

  const sums: [string, number, number][] = [
    ["{ base_score: 33 }", 1.1, 36],
    ["{ base_score: 99 }", 0.999, 98],
    // 100 * 0.57 is 56.99999999999999 in binary.
    ["{ base_score: 100 }", 0.57, 57],
    ["{ base_score: 80 }", 2, 100],
    ["{ base_score: -20 }", 1, 0],
    ["{ base_score: -15, min_score: -50 }", 0.5, -7],
    ["{ base_score: 10, min_score: 20, max_score: 30 }", 1, 20],
    ["{ base_score: 40, min_score: 20, max_score: 30 }", 1, 30],
    ["{}", 1, 50],
  ];
  for (const [settings, multiplier, value] of sums) {
    it(`truncate, then clamp: settings ${settings} times ${multiplier} give ${value}`, () => {
      const { score } = compileRules(
        `settings: ${settings}\nrules: []\nmultipliers: [{ name: m, condition: ${always}, multiplier: ${multiplier} }]`,
        "rules.yml",
      );
      assert.equal(score(lead).value, value);
    });
  }

  it("have defaults for their settings", () => {
    const { settings } = compileRules("settings: { base_score: 40 }\nrules: []", "rules.yml");
    assert.deepEqual(settings, { base_score: 40, min_score: 0, max_score: 100, high_score_threshold: 75 });
  });

  it("keep their version over comments, layout, descriptions and the order of ANDed keys, and change it with what they decide", () => {
    const version = (rule: string, head = "") => compileRules(`${head}rules:\n  - ${rule}`, "rules.yml").version;
    const first = version("{ name: a, condition: { has_email: true, tier_gt: 1 }, score: 5 }");
    assert.match(first, /^[0-9a-f]{16}$/);
    assert.equal(
      version("{ name: a, description: Text, condition: { tier_gt: 1, has_email: true }, score: 5 } # why"),
      first,
    );
    assert.equal(version("{ name: a, condition: { has_email: true, tier_gt: 1 }, score: 5 }", "settings: {}\n"), first);
    const others = [
      version("{ name: a, condition: { has_email: true, tier_gt: 1 }, score: 6 }"),
      version("{ name: b, condition: { has_email: true, tier_gt: 1 }, score: 5 }"),
      version("{ name: a, condition: { has_email: true, tier_gt: 2 }, score: 5 }"),
      version("{ name: a, condition: { has_email: false, tier_gt: 1 }, score: 5 }"),
      version("{ name: a, condition: { has_email: true, tier_gt: 1 }, score: 5 }", "settings: { base_score: 51 }\n"),
    ];
    assert.equal(new Set([first, ...others]).size, 6);
  });
});

describe("a wrong rules file", () => {
  const wrong: [string, string, string[]][] = [
    [
      "an unknown condition, by rule and line",
      `rules:\n  - name: a\n    condition:\n      tech_stack_contain: jQuery\n    score: 1`,
      ['4 rule "a": unknown condition "tech_stack_contain" (docs/scoring.md lists them)'],
    ],
    [
      "an unknown condition deep inside",
      `rules:\n  - name: a\n    condition:\n      all_of:\n        - any_of:\n            - has_emial: true\n    score: 1`,
      ['6 rule "a": unknown condition "has_emial" (docs/scoring.md lists them)'],
    ],
    [
      "a name every object has",
      `rules: [{ name: a, condition: { constructor: 1 }, score: 1 }]`,
      ['1 rule "a": unknown condition "constructor" (docs/scoring.md lists them)'],
    ],
    [
      "an empty condition",
      `rules:\n  - name: a\n    condition: {}\n    score: 1`,
      ['3 rule "a": condition must not be empty'],
    ],
    [
      "a missing condition",
      `rules:\n  - name: a\n    score: 1`,
      ['2 rule "a": condition must be a mapping, not nothing'],
    ],
    [
      "an empty group",
      `rules: [{ name: a, condition: { any_of: [] }, score: 1 }]`,
      ['1 rule "a": any_of must not be empty'],
    ],
    [
      "an empty member of a group",
      `rules:\n  - name: a\n    condition:\n      none_of:\n        - {}\n    score: 1`,
      ['5 rule "a": a condition of none_of must not be empty'],
    ],
    [
      "a group that is no list",
      `rules: [{ name: a, condition: { all_of: { has_email: true } }, score: 1 }]`,
      ['1 rule "a": all_of must be a list, not a mapping'],
    ],
    [
      "text where a number belongs",
      `rules:\n  - name: a\n    condition: { lcp_gt: "4000" }\n    score: 1`,
      ['3 rule "a": lcp_gt must be a number, not "4000"'],
    ],
    [
      "a number where text belongs",
      `rules: [{ name: a, condition: { tech_stack_contains: 5 }, score: 1 }]`,
      ['1 rule "a": tech_stack_contains must be a text, not 5'],
    ],
    [
      "a word where true or false belongs",
      `rules: [{ name: a, condition: { has_email: yes }, score: 1 }]`,
      ['1 rule "a": has_email must be true or false, not "yes"'],
    ],
    [
      "one text where a list belongs",
      `rules: [{ name: a, condition: { vertical_in: plumber }, score: 1 }]`,
      ['1 rule "a": vertical_in must be a list, not "plumber"'],
    ],
    [
      "an empty list",
      `rules: [{ name: a, condition: { vertical_in: [] }, score: 1 }]`,
      ['1 rule "a": vertical_in must not be empty'],
    ],
    [
      "a wrong entry of a list",
      `rules:\n  - name: a\n    condition:\n      vertical_in:\n        - plumber\n        - true\n    score: 1`,
      ['6 rule "a": an entry of vertical_in must be a text, not true'],
    ],
    [
      "a range upside down",
      `rules: [{ name: a, condition: { performance_score_between: { min: 70, max: 50 } }, score: 1 }]`,
      ['1 rule "a": performance_score_between: min 70 is above max 50'],
    ],
    [
      "a range that is not whole, with a key too many",
      `rules: [{ name: a, condition: { performance_score_between: { min: 50, most: 70 } }, score: 1 }]`,
      [
        '1 rule "a": performance_score_between: unknown key "most" (min, max)',
        '1 rule "a": performance_score_between: "max" is missing',
      ],
    ],
    [
      "a version that is none",
      `rules: [{ name: a, condition: { tech_stack_version_lt: { technology: jQuery, version: new } }, score: 1 }]`,
      ['1 rule "a": tech_stack_version_lt.version must be a version like "3.4.1", not "new"'],
    ],
    [
      "a score that is no number",
      `rules: [{ name: a, condition: ${always}, score: lots }]`,
      ['1 rule "a": score must be a number, not "lots"'],
    ],
    [
      "an infinite score",
      `rules: [{ name: a, condition: ${always}, score: .inf }]`,
      ['1 rule "a": score must be a number, not Infinity'],
    ],
    [
      "a missing score",
      `rules: [{ name: a, condition: ${always} }]`,
      ['1 rule "a": score must be a number, not nothing'],
    ],
    [
      "a multiplier among the rules",
      `rules: [{ name: a, condition: ${always}, multiplier: 2 }]`,
      [
        '1 rule "a": unknown key "multiplier" (name, description, condition, score)',
        '1 rule "a": score must be a number, not nothing',
      ],
    ],
    [
      "a negative multiplier",
      `rules: []\nmultipliers: [{ name: a, condition: ${always}, multiplier: -1 }]`,
      ['2 multiplier "a": multiplier must not be negative'],
    ],
    ["a rule without a name", `rules:\n  - condition: ${always}\n    score: 1`, ["2 name must be a text, not nothing"]],
    [
      "two rules of one name",
      `rules:\n  - { name: a, condition: ${always}, score: 1 }\n  - { name: a, condition: ${never}, score: 2 }`,
      ['3 rule "a": the name stands already in line 2'],
    ],
    [
      "a rule and a multiplier of one name",
      `rules: [{ name: a, condition: ${always}, score: 1 }]\nmultipliers: [{ name: a, condition: ${always}, multiplier: 2 }]`,
      ['2 multiplier "a": the name stands already in line 1'],
    ],
    [
      "an unknown setting",
      `settings:\n  base_score: 50\n  base: 40\nrules: []`,
      ['3 unknown setting "base" (base_score, min_score, max_score, high_score_threshold)'],
    ],
    [
      "a setting of the wrong type",
      `settings: { base_score: high }\nrules: []`,
      ['1 base_score must be a number, not "high"'],
    ],
    [
      "a setting that is not whole",
      `settings: { base_score: 1.5 }\nrules: []`,
      ["1 base_score must be a whole number from -30000 to 30000, not 1.5"],
    ],
    [
      "bounds upside down",
      `settings: { min_score: 10, max_score: 5 }\nrules: []`,
      ["1 min_score 10 is above max_score 5"],
    ],
    ["an unknown part of the file", `rules: []\nrule: []`, ['2 unknown key "rule" (settings, rules, multipliers)']],
    ["no rules", `settings: {}`, ['1 "rules" is missing']],
    ["rules that are no list", `rules: { a: 1 }`, ["1 rules must be a list, not a mapping"]],
    ["an empty file", ``, ["1 the file must be a mapping, not nothing"]],
    [
      "an alias",
      `rules:\n  - name: a\n    condition: &c { has_email: true }\n    score: 1\n  - name: b\n    condition: *c\n    score: 1`,
      ['6 rule "b": condition must be a mapping, not an alias'],
    ],
  ];
  for (const [what, yaml, faults] of wrong) {
    it(`is refused for ${what}`, () => {
      assert.deepEqual(faultsOf(yaml), faults);
    });
  }

  it("is refused for YAML that cannot be read, and for a key twice, with the line", () => {
    assert.match(faultsOf("rules:\n  - { name: a")[0]!, /^[23] /);
    assert.match(faultsOf("rules: []\nsettings: {}\nrules: []")[0]!, /^3 Map keys must be unique/);
    assert.match(
      faultsOf(`rules: [{ name: a, condition: { tier_gt: 1, tier_gt: 2 }, score: 1 }]`)[0]!,
      /^1 Map keys must be unique/,
    );
  });

  it("has all its faults reported at once, each with file, line and rule", () => {
    const yaml = `settings: { base: 1 }\nrules:\n  - { name: a, condition: { nope: 1 }, score: 1 }\n  - { name: a, condition: { lcp_gt: x }, score: y }\nmultipliers:\n  - { name: m, condition: {}, multiplier: 1 }`;
    assert.throws(
      () => compileRules(yaml, "config/rules.yml"),
      (error: Error) => {
        assert.deepEqual(error.message.split("\n"), [
          'config/rules.yml:1: unknown setting "base" (base_score, min_score, max_score, high_score_threshold)',
          'config/rules.yml:3: rule "a": unknown condition "nope" (docs/scoring.md lists them)',
          'config/rules.yml:4: rule "a": the name stands already in line 3',
          'config/rules.yml:4: rule "a": lcp_gt must be a number, not "x"',
          'config/rules.yml:4: rule "a": score must be a number, not "y"',
          'config/rules.yml:6: multiplier "m": condition must not be empty',
        ]);
        return true;
      },
    );
  });
});

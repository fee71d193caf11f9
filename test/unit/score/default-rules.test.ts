import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Facts, LeadFields } from "../../../services/leads/lead.ts";
import { isWorded } from "../../../services/mockup/improvements.ts";
import { siteRules } from "../../../services/mockup/site-rules.ts";
import { compileRules } from "../../../services/score/compile.ts";
import { isModernSite } from "../../../services/score/modern-site.ts";
import { aLead } from "../../support/leads.ts";

const path = new URL("../../../config/scoring-rules.yml", import.meta.url);
const yaml = readFileSync(path, "utf8");
const rules = compileRules(yaml, "config/scoring-rules.yml");

const reached = { phone: "+13125550100", email: "info@joes.example" };
const scoreOf = (fields: Partial<LeadFields>, facts: Facts = {}) =>
  rules.score(aLead({ fields: { name: "Joe's", ...reached, website: "https://joes.example/", ...fields }, facts }))
    .value;
const notFetched: Facts = { site: { status: "not_fetched", reason: "off" } };
const modern: Facts = {
  site: {
    status: "ok",
    viewport: true,
    contactForm: true,
    social: { facebook: "https://facebook.com/j" },
    technologies: [],
    pageCount: 12,
  },
};
const old: Facts = {
  site: {
    status: "ok",
    viewport: false,
    contactForm: false,
    social: {},
    pageCount: 2,
    technologies: [{ name: "Outdated HTML" }, { name: "jQuery", version: "1.4.2" }],
  },
};

describe("the rules the project comes with", () => {
  it("put who needs a web site, and can be written to, above the audit threshold", () => {
    assert.ok(scoreOf({}, old) >= 75, String(scoreOf({}, old)));
    assert.ok(scoreOf({}, { site: { status: "unreachable", reason: "dns" } }) >= 60);
    // Given as "": the spread above names one otherwise.
    assert.ok(scoreOf({ website: "" }, notFetched) >= 75);
  });

  it("put who does not, or cannot be written to, below it", () => {
    assert.ok(scoreOf({}, modern) < 45, String(scoreOf({}, modern)));
    assert.ok(scoreOf({}, notFetched) < 60);
    assert.ok(scoreOf({ email: "" }, notFetched) < 45);
    assert.ok(scoreOf({ website: "", email: "" }, notFetched) < 60);
    assert.ok(scoreOf({ website: "", categories: ["closed"] }, notFetched) < 60);
  });

  it("say no more of a site that turned us away than of one that nobody looked at", () => {
    for (const reason of ["http_403", "http_429", "too_large", "not_html", "blocked_address"])
      assert.equal(scoreOf({}, { site: { status: "unreachable", reason } }), scoreOf({}, notFetched), reason);
  });

  it("have a sentence for the owner for each rule about the web site that raises the score", () => {
    const raising = new Set(rules.texts.filter(({ points = 0 }) => points > 0).map(({ name }) => name));
    const unworded = [...siteRules(yaml).keys()].filter((name) => raising.has(name) && !isWorded(name));
    assert.deepEqual(unworded, []);
  });

  it("each have a description", () => {
    assert.deepEqual(
      rules.texts.filter(({ description }) => description === "").map(({ name }) => name),
      [],
    );
  });
});

describe("a modern site", () => {
  const measured = { performance: 90, viewport: true, tapTargets: 0.9 };
  it("is one that is fast, made for phones and for fingers, all of it known", () => {
    assert.equal(isModernSite(aLead({ facts: { pagespeed: measured } })), true);
  });
  for (const [what, facts] of Object.entries<Facts>({
    "too slow": { pagespeed: { ...measured, performance: 89 } },
    "not made for phones": { pagespeed: { ...measured, viewport: false } },
    "not made for fingers": { pagespeed: { ...measured, tapTargets: 0.89 } },
    "of unknown speed": { pagespeed: { viewport: true, tapTargets: 1 } },
    "of unknown viewport": { pagespeed: { performance: 99, tapTargets: 1 } },
    "of unknown tap targets": { pagespeed: { performance: 99, viewport: true } },
    "not measured at all": { site: { status: "ok", viewport: true } },
  })) {
    it(`is not one that is ${what}`, () => {
      assert.equal(isModernSite(aLead({ facts })), false);
    });
  }
});

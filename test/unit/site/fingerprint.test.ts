import assert from "node:assert/strict";
import { playedPage, playedSite } from "../../../bin/demo/site-page.ts";
import { hostileTexts } from "../../../bin/fingerprint-cost.ts";
import { type Fingerprint, Fingerprints, type PageSignals, versionOf } from "../../../services/site/fingerprint.ts";
import { boundRepetitions, requiredLiterals } from "../../../services/site/literal.ts";
import { LiteralIndex } from "../../../services/site/literal-index.ts";
import { readPage } from "../../../services/site/read-page.ts";
import { loadFingerprints } from "../../../services/site/technologies.ts";

const nothing: PageSignals = {
  url: "http://a.com/",
  html: "",
  text: "",
  scripts: [],
  headers: {},
  cookies: {},
  meta: [],
};
const setOf = (...technologies: Partial<Fingerprint>[]) =>
  new Fingerprints({
    source: "test",
    categories: { "1": "CMS" },
    technologies: technologies.map((t) => ({ name: "T", categories: [1], patterns: [], ...t })),
  });
const html = (re: string, more = {}) => ({ in: "html" as const, re, literals: requiredLiterals(re)!, ...more });
const names = (set: Fingerprints, page: Partial<PageSignals>) => set.match({ ...nothing, ...page }).map((t) => t.name);

describe("required literals of an expression", () => {
  const cases: [string, string[] | null][] = [
    ["cdn\\.shopify\\.com", ["cdn.shopify.com"]],
    ["/?([\\d.]+)?/aframe(?:\\.min)?\\.js", ["/aframe"]],
    ["(?:jquery|zepto)\\.js", ["jquery", "zepto"]],
    ["colou?r-picker", ["r-picker"]],
    ["ab+cdef", ["cdef"]],
    ["(?:optional)?x[0-9]y", null],
    ["wp-content|[0-9]+", null],
    ["(?=lookahead)abc", ["abc"]],
    ["(?!never)[a-z]", null],
    ["[.]js[?]v=", [".js?v="]],
    ["BIG Letters", ["big letters"]],
    ["(?:abcdef){0,3}xyz", ["xyz"]],
    ["(?:abcdef){2,3}x", ["abcdef"]],
    ["^.*$", null],
  ];
  for (const [source, expected] of cases)
    it(`of ${source} are ${JSON.stringify(expected)}`, () => assert.deepEqual(requiredLiterals(source), expected));

  it("bounds open repetitions, and only those", () => {
    assert.equal(boundRepetitions("a+[*+]b*\\+c{2,}d{3}", 9), "a{1,9}[*+]b{0,9}\\+c{2,9}d{3}");
  });
});

describe("the literal index", () => {
  it("finds what a plain search finds, overlaps and suffixes too", () => {
    const literals = ["he", "she", "his", "hers", "ers", "s", "shers"];
    const text = "USHErs hishers — SHE";
    const found: string[] = [];
    new LiteralIndex(literals).search(text, (literal, start) => found.push(`${literal}@${start}`));
    const expected = literals.flatMap((l, i) =>
      Array.from({ length: text.length }, (_, at) => at)
        .filter((at) => text.slice(at, at + l.length).toLowerCase() === l)
        .map((at) => `${i}@${at}`),
    );
    assert.deepEqual(found.sort(), expected.sort());
  });
});

describe("fingerprints", () => {
  it("take the longest version that a page tells", () => {
    const set = setOf({
      patterns: [
        html("widget"),
        html("widget/([\\d.]+)", { version: "\\1" }),
        html("widget v(\\d+)", { version: "\\1" }),
      ],
    });
    assert.deepEqual(set.match({ ...nothing, html: "<b>widget v3</b> widget/3.2.1" }), [
      { name: "T", version: "3.2.1", categories: ["CMS"] },
    ]);
  });

  it("read Wappalyzer's version notation", () => {
    assert.equal(versionOf("\\1", ["", "2.0"]), "2.0");
    assert.equal(versionOf("\\1?yes:no", ["", "x"]), "yes");
    assert.equal(versionOf("\\1?yes:no", ["", undefined]), "no");
    assert.equal(versionOf("\\1?\\1:\\2", ["", undefined, "4.1"]), "4.1");
    assert.equal(versionOf("\\1", ["", "1700000000"]), "", "a time stamp");
    assert.equal(versionOf("\\1", ["", "1.2.3.4.5.6.7.8.9"]), "", "too long");
  });

  it("add up confidence, and leave out what stays a guess", () => {
    const weak = (re: string) => html(re, { confidence: 30 });
    const set = setOf({ patterns: [weak("first"), weak("second")] });
    assert.deepEqual(names(set, { html: "first" }), []);
    assert.deepEqual(names(set, { html: "first second" }), ["T"]);
  });

  it("follow implications, requirements and exclusions", () => {
    const set = setOf(
      { name: "CMS", patterns: [html("the-cms")], implies: [{ name: "PHP" }, { name: "Maybe", confidence: 20 }] },
      { name: "PHP" },
      { name: "Maybe" },
      { name: "Plugin", patterns: [html("plugin")], requires: ["PHP"] },
      { name: "Lite", patterns: [html("lite")] },
      { name: "Pro", patterns: [html("professional")], excludes: ["Lite"] },
    );
    assert.deepEqual(names(set, { html: "plugin" }), []);
    assert.deepEqual(names(set, { html: "plugin the-cms" }), ["CMS", "PHP", "Plugin"]);
    assert.deepEqual(names(set, { html: "lite professional" }), ["Pro"]);
  });

  it("tell a dated site from its page and headers", () => {
    const host = "dated-corner-shop.example";
    const site = playedSite(host, "t");
    const page = {
      url: `http://${host}/`,
      status: 200,
      headers: { server: "Apache/2.2.15 (CentOS)" },
      body: Buffer.from(playedPage(site, host, "t")),
    };
    const found = Object.fromEntries(
      readPage(page, loadFingerprints(), "US", 0).technologies!.map((t) => [t.name, t.version ?? ""]),
    );
    assert.equal(found["WordPress"], site.technologies["WordPress"]);
    assert.equal(found["jQuery"], site.technologies["jQuery"]);
    assert.equal(found["Apache"], "2.2.15");
    assert.ok("PHP" in found && "Outdated HTML" in found, JSON.stringify(found));
  });

  it("give back what running every pattern would, on generated pages", () => {
    const set = loadFingerprints();
    for (let n = 0; n < 20; n++) {
      const host = `${n % 2 ? "modern" : "dated"}-shop-${n}.example`;
      const page = playedPage(playedSite(host, "all"), host, "all", 4_000);
      const scripts = [...page.matchAll(/<script[^>]+src="([^"]+)"/g)].map((m) => m[1]!);
      const found = new Set(names(set, { html: page, scripts }));
      for (const t of set.file.technologies) {
        if (t.requires || t.requiresCategory) continue;
        const hits = t.patterns.some(
          (p) =>
            p.in === "scriptSrc" && (p.confidence ?? 100) >= 50 && scripts.some((s) => new RegExp(p.re, "i").test(s)),
        );
        if (hits) assert.ok(found.has(t.name), `${t.name} on ${host}`);
      }
    }
  });

  it("are not held up by pages made to let them backtrack", function () {
    this.timeout(60_000);
    const set = loadFingerprints();
    let worst = 0;
    let worstOf = "";
    const risky = set.file.technologies
      .flatMap((t) => t.patterns)
      .filter((p) => p.in === "html" && (p.re.match(/[*+]/g) ?? []).length > 1);
    assert.ok(risky.length > 100);
    for (const pattern of risky.filter((_, i) => i % 8 === 0)) {
      const page = [...hostileTexts(pattern.re, 2_000)]
        .map((t) => t + pattern.literals![0])
        .join("\n")
        .slice(0, 100_000);
      const start = performance.now();
      set.match({ ...nothing, html: page });
      const took = performance.now() - start;
      if (took > worst) [worst, worstOf] = [took, pattern.re];
    }
    // Unbounded, the worst of them take minutes.
    assert.ok(worst < 500, `${worst} ms: ${worstOf}`);
  });
});

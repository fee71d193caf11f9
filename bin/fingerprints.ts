/**
 * Makes services/site/fingerprints/technologies.json from the last MIT release of wappalyzer:
 *
 *     npm pack wappalyzer@6.10.47 && tar xzf wappalyzer-6.10.47.tgz
 *     node bin/fingerprints.ts package
 *
 * Kept is what can be told from one HTTP answer: page text, script addresses, headers, cookies, meta tags, the address,
 * and DOM selectors simple enough to be read off the HTML. Left out is what needs a running browser or further
 * requests. Each pattern gets the literals that a text must hold for it to match (services/site/literal.ts).
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Fingerprint, FingerprintFile, Pattern } from "../services/site/fingerprint.ts";
import { boundRepetitions, requiredLiterals } from "../services/site/literal.ts";
import { costliest } from "./fingerprint-cost.ts";

type Raw = Record<string, any>;

/** A pattern that can hold a page up for longer than this, on a window of text, is bounded or left out. */
const mostMs = 4;
const windowCharacters = 1_100;
const counts = { kept: 0, bounded: 0, costly: [] as string[], browser: 0, domLeftOut: 0, nothingLeft: 0 };

function list<T>(value: T | T[] | undefined): T[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** Wappalyzer's notation: `regex\;version:\1\;confidence:50`. null for what must not be run. */
function compile(field: Pattern["in"], notation: string, name: string, key?: string): Pattern | null {
  const [raw = "", ...tags] = String(notation).split("\\;");
  const tag = (wanted: string) => tags.find((t) => t.startsWith(`${wanted}:`))?.slice(wanted.length + 1);
  let source = raw;
  if (source !== "" && costliest(source, windowCharacters, mostMs) > mostMs) {
    source =
      [250, 50, 20]
        .map((most) => boundRepetitions(raw, most))
        .find((s) => costliest(s, windowCharacters, mostMs) <= mostMs) ?? "";
    if (source === "") {
      counts.costly.push(`${name}: ${raw}`);
      return null;
    }
    counts.bounded++;
  }
  const literals = key === undefined ? requiredLiterals(source) : null;
  // Without a literal a pattern would have to be run on every page.
  if (key === undefined && literals === null) {
    counts.costly.push(`${name}: ${raw}`);
    return null;
  }
  counts.kept++;
  const version = tag("version");
  const confidence = tag("confidence");
  return {
    in: field,
    ...(key === undefined ? {} : { key: key.toLowerCase() }),
    re: source,
    ...(literals === null ? {} : { literals }),
    ...(version === undefined ? {} : { version }),
    ...(confidence === undefined ? {} : { confidence: Number(confidence) }),
  };
}

/**
 * A selector `tag[attribute*='value']`, `tag#id` or `tag.class` as an expression over HTML: that such an element exists.
 * null for selectors with combinators or several conditions.
 */
function selectorExpression(selector: string): { expression: string; literal: string } | null {
  const named = /^([a-z]*)([#.])([\w-]{3,})$/i.exec(selector.trim());
  if (named) {
    const [, tag, kind, name] = named;
    const where = kind === "#" ? `id=["']?${name}` : `class=["']?(?:[^"'<>]*\\s)?${name}`;
    return { expression: `<${tag === "" ? "[a-z]" : tag}[^<>]*?\\s${where}["'\\s>]`, literal: name! };
  }
  const found = /^([a-z]+)\[([\w-]+)([*^]?)=["']?([^"'\]]{3,})["']?\]$/i.exec(selector.trim());
  if (!found) return null;
  const [, tag, attribute, how, value] = found;
  const escaped = value!.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const before = how === "*" ? `["']?[^"'<>]*` : `["']?`;
  const after = how === "" ? `["'\\s>]` : "";
  return { expression: `<${tag}\\s[^<>]*?${attribute}=${before}${escaped}${after}`, literal: value! };
}

/** Ours: what Wappalyzer asks a running browser for, and the address of a script tells as well. */
const additions: Record<string, Raw> = {
  jQuery: { scriptSrc: ["/jquery(?:[.-]min)?\\.js\\?(?:[^#]*&)?ver=(\\d+\\.\\d+(?:\\.\\d+)?)\\;version:\\1"] },
  "Next.js": { scriptSrc: ["/_next/static/"] },
};

function patternsOf(name: string, raw: Raw): Pattern[] {
  const patterns: (Pattern | null)[] = [];
  for (const field of ["html", "scriptSrc", "scripts", "url", "text"] as const)
    for (const notation of list<string>(raw[field])) patterns.push(compile(field, notation, name));
  for (const field of ["headers", "cookies", "meta"] as const)
    for (const [key, notations] of Object.entries<string | string[]>(raw[field] ?? {}))
      for (const notation of list(notations)) patterns.push(compile(field, notation, name, key));
  for (const selector of typeof raw["dom"] === "string" || Array.isArray(raw["dom"])
    ? list<string>(raw["dom"])
    : Object.keys(raw["dom"] ?? {})) {
    const plainExistence =
      typeof raw["dom"] === "string" || Array.isArray(raw["dom"]) || "exists" in raw["dom"][selector];
    for (const one of selector.split(",")) {
      const expression = plainExistence ? selectorExpression(one) : null;
      if (expression === null) counts.domLeftOut++;
      else {
        const pattern = compile("html", expression.expression, name);
        // Its name or value; the longest literal of the expression may be `class=`.
        if (pattern) patterns.push({ ...pattern, literals: [expression.literal.toLowerCase()] });
      }
    }
  }
  if (["js", "xhr", "dns", "css", "certIssuer", "robots"].some((field) => field in raw)) counts.browser++;
  return patterns.filter((p) => p !== null);
}

function implied(notations: string | string[] | undefined): { name: string; confidence?: number }[] {
  return list(notations).map((notation) => {
    const [name = "", ...tags] = notation.split("\\;");
    const confidence = tags.find((t) => t.startsWith("confidence:"))?.slice("confidence:".length);
    return confidence === undefined ? { name } : { name, confidence: Number(confidence) };
  });
}

function read(folder: string): FingerprintFile {
  const technologies: Record<string, Raw> = {};
  for (const file of readdirSync(join(folder, "technologies"))
    .filter((f) => f.endsWith(".json"))
    .sort())
    Object.assign(technologies, JSON.parse(readFileSync(join(folder, "technologies", file), "utf8")));
  const categories = JSON.parse(readFileSync(join(folder, "categories.json"), "utf8")) as Record<string, Raw>;
  const all: Fingerprint[] = Object.entries(technologies).map(([name, raw]) => ({
    name,
    categories: raw["cats"],
    ...(raw["implies"] ? { implies: implied(raw["implies"]) } : {}),
    ...(raw["requires"] ? { requires: list(raw["requires"]) } : {}),
    ...(raw["requiresCategory"] ? { requiresCategory: list(raw["requiresCategory"]) } : {}),
    ...(raw["excludes"] ? { excludes: list(raw["excludes"]) } : {}),
    patterns: [...patternsOf(name, raw), ...patternsOf(name, additions[name] ?? {})],
  }));
  const wanted = new Set(
    all
      .filter((f) => f.patterns.length > 0)
      .flatMap((f) => f.implies ?? [])
      .map((i) => i.name),
  );
  const kept = all.filter((f) => f.patterns.length > 0 || wanted.has(f.name));
  counts.nothingLeft = all.length - kept.length;
  return {
    source: "wappalyzer 6.10.47 (MIT), see NOTICE.md",
    categories: Object.fromEntries(Object.entries(categories).map(([id, raw]) => [id, String(raw["name"])])),
    technologies: kept,
  };
}

const folder = process.argv[2];
if (folder === undefined) {
  console.error("usage: node bin/fingerprints.ts <unpacked wappalyzer package>");
  process.exit(2);
}
const file = read(folder);
const target = new URL("../services/site/fingerprints/technologies.json", import.meta.url);
// One technology a line: a later set can be compared with this one.
const lines = file.technologies.map((t) => JSON.stringify(t)).join(",\n");
writeFileSync(
  target,
  `{"source":${JSON.stringify(file.source)},\n"categories":${JSON.stringify(file.categories)},\n"technologies":[\n${lines}\n]}\n`,
);
console.log(
  `${file.technologies.length} technologies with ${counts.kept} patterns kept (${counts.bounded} with bounded repetitions);
left out: ${counts.nothingLeft} technologies of which nothing was left, browser patterns of ${counts.browser} technologies,
${counts.domLeftOut} DOM selectors, ${counts.costly.length} patterns that are too costly or have no literal:
  ${counts.costly.join("\n  ")}`,
);

import type { Technology } from "../leads/lead.ts";
import { LiteralIndex } from "./literal-index.ts";

/**
 * Tells a site's technologies by Wappalyzer's patterns. 4,000 patterns run over a page of 100 kB would take tens of
 * milliseconds; so the page is searched once for the literals that the patterns require, and only the patterns whose
 * literal is there are run, on a window around it.
 */

/** Where a pattern looks. `scripts`: inline scripts; they are searched as part of the HTML. */
export type Field = "html" | "scripts" | "scriptSrc" | "url" | "text" | "headers" | "cookies" | "meta";

export interface Pattern {
  in: Field;
  /** Name of the header, cookie or meta tag, in lower case. */
  key?: string;
  /** Regular expression, case ignored. Empty: that the key is there is enough. */
  re: string;
  /** Every match contains one of these (lower case). Only patterns with a key have none. */
  literals?: string[];
  /** Wappalyzer's notation: `\1`, or `\1?yes:no`. */
  version?: string;
  /** Percent, 100 when absent. */
  confidence?: number;
}

export interface Fingerprint {
  name: string;
  categories: number[];
  implies?: { name: string; confidence?: number }[];
  /** Counts only where one of these was found too. */
  requires?: string[];
  requiresCategory?: number[];
  excludes?: string[];
  patterns: Pattern[];
}

export interface FingerprintFile {
  source: string;
  categories: Record<string, string>;
  technologies: Fingerprint[];
}

/** What one answer of a site shows. Names of headers, cookies and meta tags are in lower case. */
export interface PageSignals {
  url: string;
  html: string;
  /** What a reader sees. */
  text: string;
  scripts: readonly string[];
  headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  cookies: Readonly<Record<string, string>>;
  meta: readonly { name: string; content: string }[];
}

/** Patterns see at most this many characters before and after their literal: bounds what a hostile page can cost. */
const windowReach = 512;
/** Windows of one pattern on one page. */
const mostWindows = 4;
const mostScripts = 150;
const valueLength = 1_000;
/** Values of headers, cookies and meta tags of which it is remembered what was found: 1 MB at the most. */
const mostKeyHits = 1_000;
/** Below this a technology is a guess. */
const leastConfidence = 50;
/** More than any honest site has; a page that names them all must not swell the lead. */
const mostTechnologies = 40;

interface Compiled {
  pattern: Pattern;
  owner: Fingerprint;
  /** Made when first needed: most patterns never are. */
  regex?: RegExp;
}

interface Found {
  fingerprint: Fingerprint;
  confidence: number;
  version: string;
}

type Literate = Exclude<Field, "headers" | "cookies" | "meta">;

/** The compiled set: made once a process (about 60 ms, 12 MB), used by all. */
export class Fingerprints {
  readonly file: FingerprintFile;
  readonly #byName: Map<string, Fingerprint>;
  readonly #index: LiteralIndex;
  readonly #literals: string[];
  /** literal -> its patterns, by where they look */
  readonly #byLiteral: Partial<Record<Literate, Compiled[]>>[] = [];
  /** `headers:server` -> its patterns */
  readonly #byKey = new Map<string, Compiled[]>();
  /** `headers:server:nginx` -> what its patterns found: a hundred look at a server's name, and there are few servers. */
  readonly #keyHits = new Map<string, readonly Found[]>();

  constructor(file: FingerprintFile) {
    this.file = file;
    this.#byName = new Map(file.technologies.map((t) => [t.name, t]));
    const literalIds = new Map<string, number>();
    for (const owner of file.technologies) {
      for (const pattern of owner.patterns) {
        const compiled: Compiled = { pattern, owner };
        if (pattern.key !== undefined) append(this.#byKey, `${pattern.in}:${pattern.key}`, compiled);
        for (const literal of pattern.literals ?? []) {
          const id = literalIds.get(literal) ?? literalIds.size;
          literalIds.set(literal, id);
          this.#byLiteral[id] ??= {};
          const fields = this.#byLiteral[id];
          fields[pattern.in as Literate] = [...(fields[pattern.in as Literate] ?? []), compiled];
        }
      }
    }
    this.#literals = [...literalIds.keys()];
    this.#index = new LiteralIndex(this.#literals);
  }

  /** The technologies of a page, the surest first, at most 40. Versions only where the page tells them. */
  match(page: PageSignals): Technology[] {
    const found = new Map<string, Found>();
    this.#matchHtml(page, found);
    for (const src of page.scripts.slice(0, mostScripts)) this.#matchWhole("scriptSrc", src, found);
    this.#matchWhole("url", page.url, found);
    for (const [name, values] of Object.entries(page.headers)) {
      for (const value of typeof values === "string" ? [values] : (values ?? []))
        this.#matchKey("headers", name, value, found);
    }
    for (const [name, value] of Object.entries(page.cookies))
      this.#matchKey("cookies", name.toLowerCase(), value, found);
    for (const { name, content } of page.meta) this.#matchKey("meta", name, content, found);
    return this.#resolve(found);
  }

  #matchHtml({ html, text }: PageSignals, found: Map<string, Found>): void {
    const windows = new Map<Compiled, number>();
    this.#index.search(html, (literal, start) => {
      const fields = this.#byLiteral[literal]!;
      for (const field of ["html", "scripts"] as const) {
        for (const compiled of fields[field] ?? []) {
          const tried = windows.get(compiled) ?? 0;
          if (tried >= mostWindows) continue;
          windows.set(compiled, tried + 1);
          const from = compiled.pattern.re.startsWith("^") ? 0 : Math.max(0, start - windowReach);
          run(compiled, html.slice(from, start + this.#literals[literal]!.length + windowReach), found);
        }
      }
      for (const compiled of fields.text ?? []) {
        if (windows.has(compiled)) continue;
        windows.set(compiled, mostWindows);
        const seen = text.toLowerCase().indexOf(this.#literals[literal]!);
        if (seen >= 0) run(compiled, text.slice(Math.max(0, seen - windowReach), seen + windowReach), found);
      }
    });
  }

  #matchWhole(field: "scriptSrc" | "url", value: string, found: Map<string, Found>): void {
    const tried = new Set<Compiled>();
    const short = value.slice(0, valueLength);
    this.#index.search(short, (literal) => {
      for (const compiled of this.#byLiteral[literal]![field] ?? []) {
        if (tried.has(compiled)) continue;
        tried.add(compiled);
        run(compiled, short, found);
      }
    });
  }

  #matchKey(field: "headers" | "cookies" | "meta", key: string, value: string, found: Map<string, Found>): void {
    const patterns = this.#byKey.get(`${field}:${key}`);
    if (!patterns) return;
    const short = value.slice(0, valueLength);
    const known = `${field}:${key}:${short}`;
    let hits = this.#keyHits.get(known);
    if (!hits) {
      hits = patterns.flatMap((compiled) => hitOf(compiled, short) ?? []);
      if (this.#keyHits.size >= mostKeyHits) this.#keyHits.clear();
      this.#keyHits.set(known, hits);
    }
    for (const hit of hits) add(hit, found);
  }

  /** Drops what lacks what it requires, adds what is implied, removes what is excluded, sorts. */
  #resolve(found: Map<string, Found>): Technology[] {
    const accepted = new Map<string, Found>();
    const accept = (one: Found) => {
      const queue = [one];
      for (const { fingerprint, confidence, version } of queue) {
        const before = accepted.get(fingerprint.name);
        if (before && before.confidence >= confidence && before.version.length >= version.length) continue;
        accepted.set(fingerprint.name, {
          fingerprint,
          confidence: Math.max(confidence, before?.confidence ?? 0),
          version: version || (before?.version ?? ""),
        });
        for (const implied of fingerprint.implies ?? []) {
          const target = this.#byName.get(implied.name);
          if (target)
            queue.push({
              fingerprint: target,
              confidence: Math.min(confidence, implied.confidence ?? 100),
              version: "",
            });
        }
      }
    };
    let waiting = [...found.values()];
    // What is accepted in one round can be what another technology requires.
    for (let before = -1; before !== accepted.size; ) {
      before = accepted.size;
      const [ready, rest] = partition(waiting, (f) => satisfied(f.fingerprint, accepted));
      for (const one of ready) accept(one);
      waiting = rest;
    }
    for (const { fingerprint, confidence } of [...accepted.values()]) {
      for (const excluded of fingerprint.excludes ?? []) {
        if ((accepted.get(excluded)?.confidence ?? 101) <= confidence) accepted.delete(excluded);
      }
    }
    return [...accepted.values()]
      .filter((f) => f.confidence >= leastConfidence)
      .sort((a, b) => b.confidence - a.confidence || (a.fingerprint.name < b.fingerprint.name ? -1 : 1))
      .slice(0, mostTechnologies)
      .map(({ fingerprint, version }) => ({
        name: fingerprint.name,
        ...(version === "" ? {} : { version }),
        categories: fingerprint.categories.map((id) => this.file.categories[id] ?? String(id)),
      }));
  }
}

function satisfied({ requires, requiresCategory }: Fingerprint, accepted: Map<string, Found>): boolean {
  if (requires === undefined && requiresCategory === undefined) return true;
  if (requires?.some((name) => accepted.has(name))) return true;
  return (requiresCategory ?? []).some((id) =>
    [...accepted.values()].some((f) => f.fingerprint.categories.includes(id)),
  );
}

function run(compiled: Compiled, text: string, found: Map<string, Found>): void {
  const hit = hitOf(compiled, text);
  if (hit) add(hit, found);
}

function hitOf(compiled: Compiled, text: string): Found | null {
  compiled.regex ??= new RegExp(compiled.pattern.re, "i");
  const match = compiled.regex.exec(text);
  if (!match) return null;
  const { pattern, owner } = compiled;
  const version = pattern.version === undefined ? "" : versionOf(pattern.version, match);
  return { fingerprint: owner, confidence: pattern.confidence ?? 100, version };
}

function add({ fingerprint, confidence, version }: Found, found: Map<string, Found>): void {
  const before = found.get(fingerprint.name);
  found.set(fingerprint.name, {
    fingerprint,
    confidence: Math.min(100, (before?.confidence ?? 0) + confidence),
    version: version.length > (before?.version.length ?? 0) ? version : (before?.version ?? ""),
  });
}

/**
 * Fills Wappalyzer's version notation from a match: `\1`, or `\1?a:b` (a when the group matched, else b). Empty for
 * what is no version: over 15 characters, or a time stamp (a first part of 10,000 or more).
 */
export function versionOf(notation: string, match: readonly (string | undefined)[]): string {
  let version = notation;
  match.forEach((group, index) => {
    const choice = new RegExp(`\\\\${index}\\?([^:]*):(.*)$`).exec(version);
    if (choice) version = version.replace(choice[0], (group ? choice[1] : choice[2]) ?? "");
    version = version.replaceAll(`\\${index}`, group ?? "");
  });
  version = version.replace(/\\\d/g, "").trim();
  return version.length <= 15 && (Number.parseInt(version, 10) || 0) < 10_000 ? version : "";
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}

function partition<T>(all: readonly T[], test: (one: T) => boolean): [T[], T[]] {
  return [all.filter(test), all.filter((one) => !test(one))];
}

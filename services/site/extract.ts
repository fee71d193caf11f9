import { Parser } from "htmlparser2";
import { decodeProtectedEmail, readEmails, readPhones, readSocial } from "./contacts.ts";
import { OutdatedSigns } from "./outdated.ts";

/** What one HTML page shows; facts and, for the fingerprints, its parts. */
export interface Extract {
  title?: string;
  description?: string;
  language?: string;
  emails: string[];
  phones: string[];
  social: Record<string, string>;
  contactForm: boolean;
  viewport: boolean;
  /** Pages of the same site that this one names, itself included: an estimate from below. */
  pageCount: number;
  outdated: boolean;
  scripts: string[];
  meta: { name: string; content: string }[];
  text: string;
}

const limits = {
  title: 200,
  description: 500,
  links: 2_000,
  contact: 1_000,
  scripts: 150,
  meta: 100,
  pages: 500,
  text: 200_000,
} as const;
const invisible = new Set(["script", "style", "template", "svg"]);
/**
 * A page is read a slice at a time, and no further once it is nested deeper than any page is: the parser's time grows with
 * the square of the depth (2 MB of `<table>` took it 50 s).
 */
const sliceLength = 32_768;
const deepest = 3_000;
/** Forms of form services, which stand in a frame or are written by a script. */
const formServices =
  /(?:jotform|typeform|wufoo|formstack|123formbuilder|cognitoforms|hsforms|paperform|tally)\.(?:com|net|so)|docs\.google\.com\/forms/;

/** Reads a page of any quality; never throws. `region`: country (ISO 3166-1) of phone numbers that name none. */
export function extract(html: string, pageUrl: string, region: string): Extract {
  const title: string[] = [];
  const text: string[] = [];
  const links: string[] = [];
  const mailto: string[] = [];
  const tel: string[] = [];
  const scripts: string[] = [];
  const meta: { name: string; content: string }[] = [];
  const forms = new FormReader();
  const outdated = new OutdatedSigns();
  let language: string | undefined;
  let hidden = 0;
  let depth = 0;
  let inTitle = false;
  let textLength = 0;

  const parser = new Parser(
    {
      onopentag(name, attributes) {
        outdated.element(name, attributes);
        forms.open(name, attributes);
        depth++;
        if (invisible.has(name)) hidden++;
        if (name === "title") inTitle = title.length === 0 && hidden === 0;
        else if (name === "html") language ??= attributes["lang"] ?? attributes["xml:lang"];
        else if (name === "a" || name === "area") readLink(attributes["href"]);
        else if (name === "meta") readMeta(attributes);
        else if (name === "script" && attributes["src"] && scripts.length < limits.scripts)
          scripts.push(attributes["src"]);
        const guarded = attributes["data-cfemail"];
        if (guarded !== undefined && mailto.length < limits.links) mailto.push(decodeProtectedEmail(guarded) ?? "");
        if (!inline.has(name)) text.push(" ");
      },
      ontext(chunk) {
        if (inTitle) title.push(chunk);
        else if (hidden === 0 && textLength < limits.text) {
          text.push(chunk);
          textLength += chunk.length;
        }
      },
      onclosetag(name) {
        forms.close(name);
        outdated.close(name);
        depth--;
        if (invisible.has(name)) hidden--;
        if (name === "title") inTitle = false;
        if (!inline.has(name)) text.push(" ");
      },
      onprocessinginstruction(_name, data) {
        outdated.doctype(data);
      },
    },
    { decodeEntities: true, lowerCaseTags: true, lowerCaseAttributeNames: true },
  );

  function readLink(href: string | undefined): void {
    if (href === undefined || links.length + mailto.length + tel.length >= limits.links) return;
    const target = href.trim();
    if (/^mailto:/i.test(target)) mailto.push(decoded(target.slice(7, limits.contact).split("?")[0]!));
    else if (/^tel:/i.test(target)) tel.push(decoded(target.slice(4, limits.contact)));
    else links.push(target);
  }
  function readMeta(attributes: Record<string, string>): void {
    const name = (attributes["name"] ?? attributes["property"] ?? attributes["http-equiv"])?.toLowerCase();
    if (name !== undefined && meta.length < limits.meta) meta.push({ name, content: attributes["content"] ?? "" });
  }

  for (let at = 0; at < html.length && depth < deepest; at += sliceLength)
    parser.write(html.slice(at, at + sliceLength));
  parser.end();
  const metaOf = (name: string) => meta.find((m) => m.name === name && m.content.trim() !== "")?.content;
  const seen = text.join("");
  return {
    ...present("title", tidy(title.join("") || metaOf("og:title"), limits.title)),
    ...present("description", tidy(metaOf("description") ?? metaOf("og:description"), limits.description)),
    ...present("language", languageTag(language ?? metaOf("content-language"))),
    emails: readEmails(mailto, seen),
    phones: readPhones(tel, seen, region),
    social: readSocial(links),
    contactForm: forms.found || scripts.some((src) => formServices.test(src)),
    viewport: /width\s*=|initial-scale/i.test(metaOf("viewport") ?? ""),
    pageCount: countPages(links, pageUrl),
    outdated: outdated.verdict(),
    scripts,
    meta,
    text: seen,
  };
}

/** Elements that do not part words. */
const inline = new Set([
  "a",
  "b",
  "i",
  "em",
  "strong",
  "span",
  "font",
  "small",
  "u",
  "abbr",
  "sup",
  "sub",
  "mark",
  "wbr",
]);

/** A form one can write to the business with: it has a text area, or asks for an e-mail address and a name; no log-in. */
class FormReader {
  found = false;
  #textAreas = 0;
  #emails = 0;
  #texts = 0;
  #passwords = 0;

  open(name: string, attributes: Record<string, string>): void {
    if (name === "form") this.#textAreas = this.#emails = this.#texts = this.#passwords = 0;
    else if (name === "textarea") this.#textAreas++;
    else if (name === "iframe") this.found ||= formServices.test(attributes["src"] ?? "");
    else if (name === "input") {
      const type = (attributes["type"] ?? "text").toLowerCase();
      if (type === "password") this.#passwords++;
      else if (type === "email" || (type === "text" && /e-?mail/i.test(attributes["name"] ?? ""))) this.#emails++;
      else if (type === "text" || type === "tel") this.#texts++;
    }
  }

  close(name: string): void {
    if (name !== "form" || this.#passwords > 0) return;
    if (this.#textAreas > 0 || (this.#emails > 0 && this.#texts > 0)) this.found = true;
  }
}

function countPages(links: readonly string[], pageUrl: string): number {
  const own = URL.parse(pageUrl);
  if (!own) return 1;
  const host = own.hostname.replace(/^www\./, "");
  const pages = new Set([own.pathname]);
  for (const link of links) {
    if (pages.size >= limits.pages) break;
    if (link.startsWith("#") || link === "" || /^(?!https?:)[a-z][a-z0-9+.-]*:/i.test(link)) continue;
    // The common kind, without the 2 us of a URL parser.
    const plain = /^\/(?!\/)[\w./-]*$/.test(link) && !link.includes("..");
    const url = plain ? undefined : URL.parse(link, pageUrl);
    if (!plain && url?.hostname.replace(/^www\./, "") !== host) continue;
    const path = plain ? link : url!.pathname;
    if (!/\.(?:jpe?g|png|gif|svg|webp|pdf|zip|mp[34]|css|js|ics|docx?|xlsx?)$/i.test(path)) pages.add(path);
  }
  return pages.size;
}

function tidy(text: string | undefined, most: number): string | undefined {
  const clean = text
    ?.slice(0, most * 4)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, most)
    .toWellFormed();
  return clean === "" ? undefined : clean;
}

function languageTag(text: string | undefined): string | undefined {
  const tag = (text ?? "").trim().replace(/,.*$/s, "").replaceAll("_", "-");
  return /^[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}$/i.test(tag) ? tag : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function present<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

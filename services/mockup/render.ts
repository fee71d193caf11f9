import type { Address, Lead, MockupDraft, SectionLook } from "../leads/lead.ts";
import { mailHref, phoneHref, phoneText } from "./links.ts";
import { paletteOf } from "./palettes.ts";
import { picture } from "./pictures.ts";
import { style } from "./style.ts";
import { clean, escapeHtml, initials } from "./text.ts";
import { anyTrade, trades } from "./trades.ts";

/** What the page shows of a lead. */
export type Shown = Pick<Lead, "fields" | "facts">;

/** How a visitor can reach the business, in the order in which it is offered. */
interface Way {
  label: string;
  text: string;
  /** Calls or writes to it; an address has none: nothing on the page leads to somebody else's. */
  href?: string;
  /** What a button says. */
  action: string;
}
interface Link extends Way {
  href: string;
}
type Section = MockupDraft["sections"][number];

const networks: Readonly<Record<string, string>> = {
  facebook: "Facebook",
  instagram: "Instagram",
  twitter: "Twitter",
  x: "X",
  linkedin: "LinkedIn",
  youtube: "YouTube",
  tiktok: "TikTok",
  pinterest: "Pinterest",
  yelp: "Yelp",
};

/**
 * The page of a draft: a whole HTML document of about 15 kB, without scripts and without anything that is loaded from
 * elsewhere. Everything from outside is cleaned and escaped. It leads nowhere but to its own parts and to the business: links
 * are its telephone number and its e-mail address alone.
 */
export function render(draft: MockupDraft, { fields, facts }: Shown): string {
  const name = clean(fields.name, 120) || "Your business";
  const ways = waysTo(fields);
  const links = ways.filter((way): way is Link => way.href !== undefined);
  const sections = draft.sections.map((section, n) => ({ ...section, look: lookOf(section, n), id: `part-${n + 1}` }));
  const first = sections[0];
  const about = sections.findLast(({ look }) => look === "about");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="robots" content="noindex, nofollow">
<meta name="referrer" content="no-referrer">
<meta name="description" content="${text(draft.tagline, 300)}">
<title>${text(`${clean(fields.name, 70) || "Your business"}: ${draft.headline}`, 160)}</title>
<style>${style(paletteOf(draft.palette))}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header><div class="wrap">
<a class="brand" href="#main"><span class="sign" aria-hidden="true">${text(initials(name), 8)}</span><span dir="auto">${escapeHtml(name)}</span></a>
<nav aria-label="This page"><ul>${first && first !== about ? `<li><a href="#${first.id}">${text(first.title, 40)}</a></li>` : ""}${about ? `<li><a href="#${about.id}">About</a></li>` : ""}<li><a href="#contact">Contact</a></li></ul></nav>
${links[0] ? button(links[0], links[0].action) : ""}
</div></header>
<main id="main">
<section class="hero"><div class="wrap">
<div>
<p class="eyebrow" dir="auto">${escapeHtml([kindOf(draft), placeOf(fields.address)].filter((part) => part !== "").join(" · "))}</p>
<h1>${text(draft.headline, 120)}</h1>
<p class="lead" dir="auto">${text(draft.tagline, 300)}</p>
<div class="actions">${actions(draft, links, first?.id ?? "contact")}</div>
</div>
${picture(draft.template, paletteOf(draft.palette))}
</div></section>
${sections.map((section, n) => band(section, n % 2 === 0 ? "tint" : "")).join("\n")}
${contact(draft, ways)}
</main>
<footer><div class="wrap"><p dir="auto">${escapeHtml(name)}</p>${social(facts.site?.social)}</div></footer>
${notes(draft, name)}
</body>
</html>
`;
}

const text = (value: string | undefined, limit: number) => escapeHtml(clean(value, limit));

function waysTo(fields: Lead["fields"]): Way[] {
  const ways: Way[] = [];
  const phone = phoneHref(fields.phone);
  if (phone) ways.push({ label: "Phone", text: phoneText(fields.phone!), href: phone, action: "Call us" });
  const mail = mailHref(fields.email);
  if (mail) ways.push({ label: "E-mail", text: clean(fields.email, 254), href: mail, action: "Write to us" });
  const address = addressOf(fields.address);
  if (address) ways.push({ label: "Address", text: address, action: "Find the way" });
  return ways;
}

/** Only what leads to a place: a city alone is no address. */
function addressOf(address: Address | undefined): string | undefined {
  if (!address?.street) return undefined;
  const { street, unit, city, state, zip, country } = address;
  const region = [state, zip].filter((part) => part).join(" ");
  const parts = [[street, unit].filter((part) => part).join(" "), city, region, country === "US" ? "" : country];
  return clean(parts.filter((part) => part).join(", "), 200) || undefined;
}

function placeOf(address: Address | undefined): string {
  return clean([address?.city, address?.state].filter((part) => part).join(", "), 80);
}

function kindOf({ template }: MockupDraft): string {
  return (trades.find((trade) => trade.template === template) ?? anyTrade).kind;
}

function button({ href }: Pick<Link, "href">, label: string, plain = false): string {
  return `<a class="button${plain ? " plain" : ""}" href="${escapeHtml(href)}">${text(label, 60)}</a>`;
}

function actions(draft: MockupDraft, [first, second]: Link[], start: string): string {
  if (!first) return button({ href: `#${start}` }, "Read more");
  return button(first, draft.callToAction) + (second ? button(second, second.action, true) : "");
}

/** Drafts of the first kind do not say it. */
function lookOf({ look }: Section, place: number): SectionLook {
  return look ?? (["cards", "steps", "about"] as const)[place] ?? "cards";
}

function band({ id, look, title, body, items }: Section & { id: string }, tone: string): string {
  return `<section class="band ${tone} ${look}" id="${id}" aria-labelledby="${id}-title"><div class="wrap">
<div class="head"><h2 id="${id}-title" dir="auto">${text(title, 120)}</h2><p dir="auto">${text(body, 600)}</p></div>
${look === "cards" ? cards(items) : look === "steps" ? numbered(items) : known(items)}</div></section>`;
}

/** "Title: a sentence" */
function titled(item: string): string {
  const [, title, rest] = /^([^:]{1,60}): (.+)$/s.exec(item) ?? [];
  return title ? `<h3>${text(title, 60)}</h3><p>${text(upper(rest!), 240)}</p>` : `<p>${text(item, 240)}</p>`;
}
const upper = (sentence: string) => sentence[0]!.toUpperCase() + sentence.slice(1);

function cards(items: string[] = []): string {
  return items.length > 0 ? `<ul class="cards">${items.map((item) => `<li>${titled(item)}</li>`).join("")}</ul>` : "";
}
function numbered(items: string[] = []): string {
  return items.length > 0 ? `<ol class="steps">${items.map((item) => `<li>${titled(item)}</li>`).join("")}</ol>` : "";
}
function known(items: string[] = []): string {
  return items.length > 0 ? `<ul class="known">${items.map((item) => `<li>${text(item, 80)}</li>`).join("")}</ul>` : "";
}

function contact(draft: MockupDraft, ways: Way[]): string {
  const rows = ways.map(({ label, href, text: shown }) => {
    const value = href
      ? `<a href="${escapeHtml(href)}" dir="auto">${escapeHtml(shown)}</a>`
      : `<span dir="auto">${escapeHtml(shown)}</span>`;
    return `<div><dt>${label}</dt><dd>${value}</dd></div>`;
  });
  const first = ways.find((way): way is Link => way.href !== undefined);
  const body = ways.length > 0 ? "Whichever way suits you best." : "The ways to reach you go here.";
  return `<section class="band contact" id="contact" aria-labelledby="contact-title"><div class="wrap">
<div class="head"><h2 id="contact-title">${text(draft.callToAction, 80)}</h2><p>${body}</p>${first ? `<div class="actions">${button(first, first.action)}</div>` : ""}</div>
${rows.length > 0 ? `<dl>${rows.join("")}</dl>` : ""}</div></section>`;
}

/** Where else the business is, by name: a link would lead to somebody else's page. */
function social(profiles: Record<string, string> | undefined): string {
  const names = Object.keys(profiles ?? {}).flatMap((network) =>
    Object.hasOwn(networks, network) ? `<li>${networks[network]!}</li>` : [],
  );
  return names.length > 0 ? `<ul aria-label="Elsewhere">${names.join("")}</ul>` : "";
}

/** What this page is, for the owner: a draft, and what it would mend. */
function notes({ improvements }: MockupDraft, name: string): string {
  const list = improvements.map((sentence) => `<li>${text(sentence, 240)}</li>`).join("");
  return `<aside class="notes" aria-labelledby="notes-title"><div class="wrap">
<h2 id="notes-title">This is a draft</h2>
<p dir="auto">It was made for ${escapeHtml(name)} from the details at hand and is not published. Words, colours and pictures are a proposal; nothing on this page is an offer of the business.</p>
${list ? `<p><strong>What we noticed about your presence on the web today:</strong></p><ul>${list}</ul>` : ""}</div></aside>`;
}

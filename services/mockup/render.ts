import type { Address, Lead, MockupDraft } from "../leads/lead.ts";
import { mailHref, mapHref, phoneHref, phoneText, webHref } from "./links.ts";
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
  href: string;
  /** What a button says. */
  action: string;
}

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
 * elsewhere. Everything from outside is cleaned and escaped; links are http(s), tel and mailto alone.
 */
export function render(draft: MockupDraft, { fields, facts }: Shown): string {
  const name = clean(fields.name, 120) || "Your business";
  const ways = waysTo(fields);
  const [services, steps, about] = [draft.sections[0], draft.sections[1], draft.sections[2]];
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
<nav aria-label="This page"><ul><li><a href="#help">${text(services?.title, 40)}</a></li><li><a href="#about">About</a></li><li><a href="#contact">Contact</a></li></ul></nav>
${ways[0] ? button(ways[0], ways[0].action) : ""}
</div></header>
<main id="main">
<section class="hero"><div class="wrap">
<div>
<p class="eyebrow" dir="auto">${escapeHtml([kindOf(draft), placeOf(fields.address)].filter((part) => part !== "").join(" · "))}</p>
<h1>${text(draft.headline, 120)}</h1>
<p class="lead" dir="auto">${text(draft.tagline, 300)}</p>
<div class="actions">${actions(draft, ways)}</div>
</div>
${picture(draft.template, paletteOf(draft.palette))}
</div></section>
${services ? band("help", "tint", services, cards(services.items)) : ""}
${steps ? band("steps", "", steps, numbered(steps.items)) : ""}
${about ? band("about", "tint", about, known(about.items)) : ""}
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
  if (address) ways.push({ label: "Address", text: address, href: mapHref(address), action: "Find the way" });
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

function button({ href }: Way, label: string, plain = false): string {
  return `<a class="button${plain ? " plain" : ""}" href="${escapeHtml(href)}">${text(label, 60)}</a>`;
}

function actions(draft: MockupDraft, [first, second]: Way[]): string {
  if (!first) return `<a class="button" href="#about">${text("Read more", 60)}</a>`;
  return button(first, draft.callToAction) + (second ? button(second, second.action, true) : "");
}

function band(id: string, tone: string, { title, body }: MockupDraft["sections"][number], inside: string): string {
  return `<section class="band ${tone}" id="${id}" aria-labelledby="${id}-title"><div class="wrap">
<div class="head"><h2 id="${id}-title" dir="auto">${text(title, 120)}</h2><p dir="auto">${text(body, 600)}</p></div>
${inside}</div></section>`;
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
  const rows = ways.map(
    (way) =>
      `<div><dt>${way.label}</dt><dd><a href="${escapeHtml(way.href)}" dir="auto">${escapeHtml(way.text)}</a></dd></div>`,
  );
  const body = ways.length > 0 ? "Whichever way suits you best." : "The ways to reach you go here.";
  return `<section class="band contact" id="contact" aria-labelledby="contact-title"><div class="wrap">
<div class="head"><h2 id="contact-title">${text(draft.callToAction, 80)}</h2><p>${body}</p>${ways[0] ? `<div class="actions">${button(ways[0], ways[0].action)}</div>` : ""}</div>
${rows.length > 0 ? `<dl>${rows.join("")}</dl>` : ""}</div></section>`;
}

function social(profiles: Record<string, string> | undefined): string {
  const links = Object.entries(profiles ?? {}).flatMap(([network, url]) => {
    const href = webHref(url);
    const label = Object.hasOwn(networks, network) ? networks[network]! : undefined;
    return href && label ? `<li><a href="${escapeHtml(href)}" rel="noopener nofollow">${label}</a></li>` : [];
  });
  return links.length > 0 ? `<ul>${links.join("")}</ul>` : "";
}

/** What this page is, for the owner: a draft, and what it would mend. */
function notes({ improvements }: MockupDraft, name: string): string {
  const list = improvements.map((sentence) => `<li>${text(sentence, 240)}</li>`).join("");
  return `<aside class="notes" aria-labelledby="notes-title"><div class="wrap">
<h2 id="notes-title">This is a draft</h2>
<p dir="auto">It was made for ${escapeHtml(name)} from the details at hand and is not published. Words, colours and pictures are a proposal; nothing on this page is an offer of the business.</p>
${list ? `<p><strong>What we noticed about your presence on the web today:</strong></p><ul>${list}</ul>` : ""}</div></aside>`;
}

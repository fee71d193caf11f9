import type { Lead, MockupDraft } from "../leads/lead.ts";
import { improvementsOf } from "./improvements.ts";
import { siteText } from "./site-text.ts";
import { clean } from "./text.ts";
import { anyTrade, type Trade, trades } from "./trades.ts";

/**
 * Drafts a one-page site from what is known of the lead; the same lead gives the same draft. Nothing is claimed that
 * the lead's fields and facts do not say. `siteRules` words rules that have no sentence of their own (see
 * {@link improvementsOf}). The draft is about 1.5 kB; {@link render} makes the page from it.
 */
export function draft(lead: Lead, siteRules?: ReadonlyMap<string, string>): MockupDraft {
  const trade = tradeOf(lead);
  const city = clean(lead.fields.address?.city, 40);
  const fill = (text: string) =>
    // A function, not a text: a name may hold "$&", which replace() would expand.
    text
      .replace("{name}", () => clean(lead.fields.name, 60) || "us")
      .replace("{in}", () => (city ? ` in ${city}` : ""));
  return {
    template: trade.template,
    headline: trade.headline,
    tagline: fill(trade.tagline),
    sections: [...trade.sections, about(lead, trade, city)],
    callToAction: trade.callToAction,
    palette: trade.palettes[fingerprint(lead.leadId) % trade.palettes.length]!,
    improvements: improvementsOf(lead.score, siteRules),
  };
}

/** The trade by vertical and categories; by the name only where those say nothing. */
export function tradeOf({ fields }: Lead): Trade {
  const labels = [fields.vertical, ...(fields.categories ?? [])]
    .filter((label) => label !== undefined)
    .map((label) => clean(label, 80).replace(/[_-]/g, " "));
  for (const label of labels) {
    const found = trades.find((trade) => trade.words.test(label));
    if (found) return found;
  }
  const name = clean(fields.name, 200);
  return trades.find((trade) => trade.words.test(name)) ?? anyTrade;
}

function about(lead: Lead, trade: Trade, city: string): MockupDraft["sections"][number] {
  const { fields } = lead;
  const name = clean(fields.name, 60) || "Us";
  const where = city ? `${name} is in ${city}.` : "";
  const own = ownWords(siteText(lead).description);
  const sentences = own ? [own] : [where, `${waysTo(fields)}: we are glad to hear from you.`];
  const known = [since(fields.foundedYear), rating(fields.rating, fields.reviewCount)].filter(
    (text) => text !== undefined,
  );
  return {
    title: trade === anyTrade ? `About ${name}` : `Get to know ${name}`,
    body: sentences.filter((sentence) => sentence !== "").join(" "),
    ...(known.length > 0 && { items: known }),
  };
}

function waysTo({ phone, email, address }: Lead["fields"]): string {
  const ways = [phone && "call", email && "write", address?.street && "come by"].filter((way) => way);
  const last = ways.pop() ?? "get in touch";
  const text = ways.length > 0 ? `${ways.join(", ")} or ${last}` : last;
  return text[0]!.toUpperCase() + text.slice(1);
}

/** The site's own description, where it reads like one: two words are no text, and "Home | Wix" is nobody's words. */
function ownWords(description: string): string | undefined {
  const text = clean(description, 320);
  if (text.length < 50 || text.split(" ").length < 8 || /https?:|lorem ipsum|just another wordpress/i.test(text))
    return undefined;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

function since(year: number | undefined): string | undefined {
  return year !== undefined && Number.isInteger(year) && year >= 1600 && year <= 2100 ? `Since ${year}` : undefined;
}

/** Shown only where both are known, and good enough to be shown. */
function rating(stars: number | undefined, reviews: number | undefined): string | undefined {
  if (stars === undefined || reviews === undefined || stars < 4 || stars > 5 || reviews < 5) return undefined;
  return `${stars.toFixed(1)} of 5 stars in ${reviews.toLocaleString("en-US")} reviews`;
}

/** FNV-1a, 32 bits: spreads ids evenly over few choices. */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/min";

const mostEmails = 10;
const mostPhones = 5;
/** Text is searched no further than this: contacts stand on top or at the foot. */
const searchedCharacters = 60_000;

const address =
  /[a-z0-9](?:[a-z0-9._%+-]{0,62}[a-z0-9_%+-])?@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,5}[a-z]{2,24}/gi;
const file = /\.(?:png|jpe?g|gif|svg|webp|avif|ico|bmp|css|js|mjs|pdf|woff2?|mp4)$/;
/** Addresses of templates and of error reporters, not of the business. */
const placeholder =
  /@(?:example\.(?:com|org|net)|(?:your-?)?(?:domain|site|company|email|website)\.(?:com|org|net)|mysite\.com|sentry\.io|.*\.sentry\.io|sentry\.wixpress\.com|.*\.wixpress\.com|godaddy\.com|mail\.com)$|^(?:user|you|your-?name|name|email|test|someone|john\.?doe)@/;

/** E-mail addresses of a page: `mailto:` links first, then its text; lower case, without repeats, at most 10. */
export function readEmails(mailto: readonly string[], text: string): string[] {
  const found = new Set<string>();
  const add = (email: string) => {
    const lower = email.toLowerCase();
    if (found.size < mostEmails && !file.test(lower) && !placeholder.test(lower)) found.add(lower);
  };
  for (const target of mailto) {
    for (const [email] of target.matchAll(address)) add(email);
  }
  // Looked for around each "@": the expression would try every word of the page.
  const searched = aroundEnds(text);
  for (let at = searched.indexOf("@"); at >= 0 && found.size < mostEmails; at = searched.indexOf("@", at + 1)) {
    for (const [email] of searched.slice(Math.max(0, at - 64), at + 100).matchAll(address)) add(email);
  }
  return [...found];
}

const northAmerican =
  /(?<![\d.])(?:\+?1[-.\s]{0,2})?(?:\([2-9]\d{2}\)|[2-9]\d{2})[-.\s/]{1,2}[2-9]\d{2}[-.\s]\d{4}(?![\d-])/g;
const international = /(?<![\d+])\+\d{1,3}[\d\s().-]{6,18}\d/g;

/** Phone numbers of a page as E.164: `tel:` links first, then its text; valid ones only, without repeats, at most 5. */
export function readPhones(tel: readonly string[], text: string, region: string): string[] {
  const found = new Set<string>();
  const country = isSupportedCountry(region) ? (region as CountryCode) : undefined;
  const searched = aroundEnds(text);
  const written = [...searched.matchAll(northAmerican), ...searched.matchAll(international)].map(([n]) => n);
  // A page of nothing but numbers must not cost a parse (10 us) each.
  for (const candidate of [...tel.slice(0, 10), ...written.slice(0, 20)]) {
    if (found.size >= mostPhones) break;
    const parsed = parsePhoneNumberFromString(candidate.slice(0, 40), country);
    if (parsed?.isValid()) found.add(parsed.number);
  }
  return [...found];
}

function aroundEnds(text: string): string {
  return text.length <= searchedCharacters
    ? text
    : `${text.slice(0, searchedCharacters / 2)}\n${text.slice(-searchedCharacters / 2)}`;
}

/** Cloudflare's e-mail protection: hex, the first byte is the key of the others. */
export function decodeProtectedEmail(hex: string): string | undefined {
  if (!/^(?:[0-9a-f]{2}){6,200}$/i.test(hex)) return undefined;
  const [key = 0, ...bytes] = hex.match(/../g)!.map((pair) => Number.parseInt(pair, 16));
  return String.fromCharCode(...bytes.map((byte) => byte ^ key));
}

/** Network -> what a profile's address looks like. Share buttons and tracking pixels are no profiles. */
const networks: Record<string, RegExp> = {
  facebook:
    /^(?:[a-z-]+\.)?(?:facebook|fb)\.com\/(?!sharer|share\b|dialog|plugins|tr\b|login|policies|help|hashtag|events\/?$|groups\/?$|v\d)[\w.%-]{2,}/,
  instagram: /^(?:www\.)?instagram\.com\/(?!p\/|reel|explore|accounts|share|embed|developer)[\w.]{2,}/,
  x: /^(?:www\.|mobile\.)?(?:twitter|x)\.com\/(?!intent|share|home\b|search|hashtag|i\/|login|widgets)\w{1,15}/,
  linkedin: /^(?:[a-z]{2,3}\.|www\.)?linkedin\.com\/(?:company|in|school|showcase)\/[\w%.-]{2,}/,
  youtube: /^(?:www\.|m\.)?youtube\.com\/(?:@|channel\/|c\/|user\/)[\w%.-]{2,}/,
  tiktok: /^(?:www\.)?tiktok\.com\/@[\w.-]{2,}/,
  yelp: /^(?:www\.|m\.)?yelp\.(?:com|ca|co\.uk)\/biz\/[\w%.-]{2,}/,
  pinterest: /^(?:[a-z]{2}\.|www\.)?pinterest\.(?:com|ca|co\.uk)\/(?!pin\/|pin$|search|explore)[\w-]{2,}/,
};

/** The first profile of each network among a page's links: network -> https URL without query. */
export function readSocial(links: readonly string[]): Record<string, string> {
  const social: Record<string, string> = {};
  for (const link of links) {
    const bare = /^(?:https?:)?\/\/([^?#]{4,200})/i.exec(link)?.[1];
    if (bare === undefined) continue;
    const lower = bare.toLowerCase();
    for (const [network, profile] of Object.entries(networks)) {
      if (!(network in social) && profile.test(lower)) social[network] = `https://${bare.replace(/\/+$/, "")}`;
    }
  }
  return social;
}

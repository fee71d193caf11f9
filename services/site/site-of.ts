import { parse } from "tldts";
import { isSharedDomain } from "../intake/shared-domains.ts";

/** What is fetched for a web address, and under which key its facts are kept. */
export interface Site {
  /** The same for every lead of the site: host without `www.`, and path and query where the host is shared by many. */
  key: string;
  host: string;
  /** Registrable domain: what distinct failures are counted by. */
  domain: string;
  path: string;
}

/** Hosts where each path is another business, beside shared domains themselves: their front page says nothing of a lead. */
const shared =
  /(?:^|\.)(?:facebook\.com|fb\.com|instagram\.com|linkedin\.com|twitter\.com|x\.com|tiktok\.com|youtube\.com|yelp\.com|linktr\.ee|sites\.google\.com|google\.com|about\.me|wixsite\.com|angelfire\.com|tripod\.com|geocities\.ws|square\.site|business\.site)$/;

/**
 * The site of a web address; null where it is none. Nothing in it depends on the lead: `http://www.joe.com/menu` and
 * `https://joe.com` are one site, whose front page is read.
 */
export function siteOf(website: string): Site | null {
  const url = URL.parse(website);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  const host = url.host
    .toLowerCase()
    .replace(/^www\.(?=[^.]+\.)/, "")
    .replace(/\.(?=$|:)/, "");
  const domain = parse(url.hostname, { allowPrivateDomains: true, validateHostname: false }).domain ?? url.hostname;
  const isShared = shared.test(url.hostname) || (host === domain && isSharedDomain(domain));
  const path = isShared ? (url.pathname.replace(/\/+$/, "") || "/") + url.search : "/";
  return { key: path === "/" ? host : host + path, host, domain, path };
}

/**
 * The addresses to try, in order, until one answers: over TLS first, as browsers do today; with `www.` for a domain
 * that may be at home only there.
 */
export function candidatesOf({ host, domain, path }: Site): string[] {
  const hosts = host.replace(/:\d+$/, "") === domain && !/^[\d.:[\]]+$/.test(host) ? [host, `www.${host}`] : [host];
  return ["https", "http"].flatMap((scheme) => hosts.map((h) => `${scheme}://${h}${path}`));
}

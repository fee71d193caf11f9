import { parse } from "tldts";
import { isPlaceholder, shown } from "./text.ts";

export interface Website {
  /** http or https URL without credentials or fragment, host in lower-case ASCII. */
  website: string;
  /** Registrable domain by the public suffix list, private suffixes too (`joes.blogspot.com`); a literal address as it is. */
  domain: string;
}

const none = /^(?:yes|no|y|n|true|false|same|no ?(?:web ?)?site|none yet|coming soon|under construction|pending|x+)$/i;
const quad = /^(?:\d{1,3}\.){3}\d{1,3}$/;

/** The first web address in a text (`www.x.com`, `http:/x.com`, `x.com/a, y.com`), or what is wrong. */
export function readWebsite(text: string): Website | { fault: string } {
  const wrong = { fault: `${shown(text)} is not a web address` };
  if (isPlaceholder(text) || none.test(text)) return wrong;
  for (const part of text.split(/\s+|[|<>"]|[,;](?=\s|www\.|https?:|$)/i)) {
    if (!part.includes(".") && !part.includes("[")) continue;
    const site = readOne(part.replace(/^[('’]+|[)'’,;]+$/g, ""));
    if (site) return site;
  }
  return wrong;
}

function readOne(text: string): Website | undefined {
  const scheme = /^([a-z][a-z0-9+-]*):(?!\d+(?:[/?#]|$))[\\/]*/i.exec(text) ?? /^(https?)[\\/]{1,2}/i.exec(text);
  if (scheme && !/^https?$/i.test(scheme[1]!)) return undefined;
  const rest = scheme ? text.slice(scheme[0].length) : text.replace(/^\/+/, "");
  const spelled = /^[^/?#\\]*/.exec(rest)![0];
  // user:password@host, and e-mail addresses
  if (spelled.includes("@")) return undefined;
  const href = `${scheme ? scheme[1]!.toLowerCase() : "http"}://${rest}`;
  const url = URL.parse(href);
  if (!url) return undefined;
  if (url.hostname.endsWith(".")) url.hostname = url.hostname.replace(/\.+$/, "");
  url.hash = "";
  const host = url.hostname;
  if (host.startsWith("[")) return { website: url.href, domain: host };
  if (quad.test(host)) {
    // `1.5` and `http://2130706433` are read as addresses by URL parsers; who means one spells it out.
    return quad.test(spelled.replace(/:\d+$/, "")) ? { website: url.href, domain: host } : undefined;
  }
  if (host.length > 253 || !/^(?:[^.]{1,63}\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/.test(host)) return undefined;
  const { domain } = parse(host, { allowPrivateDomains: true, extractHostname: false, validateHostname: false });
  return domain === null || domain === "" ? undefined : { website: url.href, domain };
}

import ipaddr from "ipaddr.js";

/** Ports that a lead's web site may be fetched from. */
export const webPorts: readonly number[] = [80, 443];

/**
 * May we connect to this address? Only to what is public unicast: no loopback, private, shared (100.64/10), link-local
 * (cloud metadata stands there), multicast, documentation or reserved range, and no IPv6 form that carries an IPv4
 * address inside (mapped, NAT64, 6to4, Teredo), whose true target a translator would choose.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || address.includes("%")) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast") return false;
  // 2000::/3 is all of IPv6 that is given out for global unicast (RFC 4291, IANA).
  return parsed.kind() === "ipv4" || (parsed.toByteArray()[0]! & 0xe0) === 0x20;
}

/** The literal address that a URL's host is, without brackets; null for a name. URL parsing has undone `0x7f.1` and the like. */
export function literalAddress(hostname: string): string | null {
  const bare = hostname.replace(/^\[|\]$/g, "");
  return ipaddr.isValid(bare) ? bare : null;
}

/** Names that mean a machine here, whatever a name server says of them (RFC 6761, RFC 8375, RFC 6762). */
const localNames =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home|corp|private|home\.arpa|onion|invalid)$/;

/** Why this URL must not be fetched, whatever its name resolves to; null when it may be tried. */
export function refusalOf(
  url: URL,
  ports: readonly number[] = webPorts,
  allowed: (address: string) => boolean = isPublicAddress,
): "bad_url" | "blocked_address" | null {
  if (url.protocol !== "http:" && url.protocol !== "https:") return "bad_url";
  if (url.username !== "" || url.password !== "") return "bad_url";
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  if (!ports.includes(port)) return "blocked_address";
  const host = url.hostname.replace(/\.+$/, "");
  const literal = literalAddress(host);
  if (literal !== null) return allowed(literal) ? null : "blocked_address";
  return !host.includes(".") || localNames.test(host) ? "blocked_address" : null;
}

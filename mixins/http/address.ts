import ipaddr from "ipaddr.js";

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Compiles the proxies' addresses and CIDR ranges. Throws for one that is neither. */
export function proxyRanges(trusted: readonly string[]): Range[] {
  return trusted.map((text) => {
    if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
    const address = ipaddr.process(text);
    return [address, address.kind() === "ipv4" ? 32 : 128];
  });
}

/**
 * The client's address: the rightmost hop that is not a proxy of ours. What stands left of it in X-Forwarded-For was
 * written by that client itself and proves nothing. Without trusted proxies, the peer of the socket.
 */
export function clientAddress(peer: string, forwardedFor: string | undefined, proxies: readonly Range[]): string {
  let client = parse(peer);
  if (!client) return "unknown";
  const hops = (forwardedFor ?? "").split(",").map((hop) => hop.trim());
  while (isProxy(client, proxies) && hops.length > 0) {
    const hop = parse(hops.pop()!);
    if (!hop) break;
    client = hop;
  }
  return client.toString();
}

/** What is limited together: an IPv4 address, or the /64 that one IPv6 host has to itself. */
export function addressBlock(address: string): string {
  const parsed = parse(address);
  if (parsed?.kind() !== "ipv6") return address;
  return `${(parsed as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(":")}::/64`;
}

function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // Some proxies add a port: 192.0.2.1:443, [2001:db8::1]:443.
  const bare = text.replace(/^\[([^\]]+)\](:\d+)?$/, "$1").replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
  // `process` makes an IPv4 address of an IPv4-mapped one. Four parts, so that "1" and "0x7f.1" are no addresses.
  return ipaddr.IPv6.isValid(bare) || ipaddr.IPv4.isValidFourPartDecimal(bare) ? ipaddr.process(bare) : undefined;
}

function isProxy(address: ipaddr.IPv4 | ipaddr.IPv6, proxies: readonly Range[]): boolean {
  return proxies.some(([range, bits]) => range.kind() === address.kind() && address.match(range as never, bits));
}

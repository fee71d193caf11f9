import assert from "node:assert/strict";
import { addressBlock, clientAddress, proxyRanges } from "../../mixins/http/address.ts";

describe("the client's address", () => {
  const proxies = proxyRanges(["10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"]);
  const cases: [what: string, peer: string, forwarded: string | undefined, client: string][] = [
    ["is the socket's peer where no header is", "198.51.100.4", undefined, "198.51.100.4"],
    ["is the peer where the peer is no proxy, whatever it claims", "198.51.100.4", "203.0.113.9", "198.51.100.4"],
    ["is what a trusted proxy says", "10.1.2.3", "203.0.113.9", "203.0.113.9"],
    ["is the rightmost hop that is no proxy", "10.1.2.3", "1.1.1.1, 203.0.113.9, 192.0.2.7", "203.0.113.9"],
    ["is the leftmost hop where all are proxies", "10.1.2.3", "10.9.9.9, 10.8.8.8", "10.9.9.9"],
    ["stops at a hop that is no address", "10.1.2.3", "203.0.113.9, unknown", "10.1.2.3"],
    ["stops at an address in an odd spelling", "10.1.2.3", "0x7f.1", "10.1.2.3"],
    ["is the proxy where its header is empty", "10.1.2.3", "", "10.1.2.3"],
    ["is read from IPv4-mapped peers", "::ffff:10.1.2.3", "203.0.113.9", "203.0.113.9"],
    ["is read with a port", "10.1.2.3", "203.0.113.9:4711", "203.0.113.9"],
    ["is read from IPv6 proxies", "2001:db8:1::5", "[2001:db8:2::1]:443", "2001:db8:2::1"],
    ["is unknown where the peer has gone", "", "203.0.113.9", "unknown"],
  ];
  for (const [what, peer, forwarded, client] of cases)
    it(what, () => assert.equal(clientAddress(peer, forwarded, proxies), client));

  it("believes nobody without trusted proxies", () => {
    assert.equal(clientAddress("127.0.0.1", "203.0.113.9", []), "127.0.0.1");
  });
  it("is limited as one where one IPv6 host may have all of them", () => {
    assert.equal(addressBlock("2001:db8:2:3::1"), addressBlock("2001:db8:2:3:ffff::2"));
    assert.notEqual(addressBlock("2001:db8:2:3::1"), addressBlock("2001:db8:2:4::1"));
    assert.equal(addressBlock("203.0.113.9"), "203.0.113.9");
  });
  it("refuses a range that is none, at start", () => {
    assert.throws(() => proxyRanges(["10.0.0.0/64"]));
  });
});

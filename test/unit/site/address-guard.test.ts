import assert from "node:assert/strict";
import { isPublicAddress, refusalOf } from "../../../services/site/address-guard.ts";
import { guardedLookup, LookupError } from "../../../services/site/resolve.ts";

const forbidden = {
  "this host": "0.0.0.0",
  "this network": "0.1.2.3",
  loopback: "127.0.0.1",
  "all of loopback": "127.255.255.254",
  "private 10": "10.0.0.1",
  "private 172.16": "172.31.255.255",
  "private 192.168": "192.168.1.1",
  "shared (100.64/10)": "100.64.0.1",
  "end of shared": "100.127.255.255",
  "link-local, cloud metadata": "169.254.169.254",
  "IETF protocol assignments": "192.0.0.8",
  "documentation 1": "192.0.2.1",
  "documentation 2": "198.51.100.7",
  "documentation 3": "203.0.113.9",
  "6to4 relay": "192.88.99.1",
  benchmarking: "198.19.0.1",
  multicast: "224.0.0.251",
  reserved: "240.0.0.1",
  broadcast: "255.255.255.255",
  "IPv6 unspecified": "::",
  "IPv6 loopback": "::1",
  "IPv4-mapped loopback": "::ffff:127.0.0.1",
  "IPv4-mapped in hex": "::ffff:7f00:1",
  "IPv4-mapped, public inside": "::ffff:8.8.8.8",
  "IPv4-compatible": "::127.0.0.1",
  "IPv4-translated": "::ffff:0:127.0.0.1",
  NAT64: "64:ff9b::7f00:1",
  "local NAT64": "64:ff9b:1::a00:1",
  "6to4 of a private address": "2002:7f00:1::",
  Teredo: "2001:0:4136:e378:8000:63bf:3fff:fdd2",
  "unique local": "fd00:ec2::254",
  "IPv6 link-local": "fe80::1",
  "link-local with a zone": "fe80::1%eth0",
  "site-local": "fec0::1",
  "IPv6 multicast": "ff02::1",
  "IPv6 documentation": "2001:db8::1",
  discard: "100::1",
  "outside of global unicast": "4000::1",
  "no address": "example.com",
};

describe("the address guard", () => {
  for (const [what, address] of Object.entries(forbidden)) {
    it(`refuses ${what} (${address})`, () => assert.equal(isPublicAddress(address), false));
  }

  it("lets public addresses pass, at the edges of the forbidden ranges too", () => {
    for (const address of [
      "8.8.8.8",
      "100.63.255.255",
      "100.128.0.0",
      "172.32.0.1",
      "169.253.1.1",
      "2606:4700::1111",
      "2a00:1450::1",
    ])
      assert.equal(isPublicAddress(address), true, address);
  });

  it("refuses every spelling of an inner address in a URL", () => {
    for (const host of [
      "127.0.0.1",
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.1",
      "0x7f.1",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[64:ff9b::a00:1]",
      "169.254.169.254",
      "127.0.0.1.",
    ])
      assert.equal(refusalOf(new URL(`http://${host}/`)), "blocked_address", host);
  });

  it("refuses names that mean a machine here", () => {
    for (const host of [
      "localhost",
      "LOCALHOST.",
      "a.localhost",
      "printer.local",
      "metadata.google.internal",
      "intranet",
      "db.home.arpa",
    ])
      assert.equal(refusalOf(new URL(`http://${host}/`)), "blocked_address", host);
  });

  it("refuses other schemes, other ports and credentials", () => {
    for (const url of ["ftp://a.com/", "file:///etc/passwd", "gopher://a.com/", "http://u:p@a.com/"])
      assert.equal(refusalOf(new URL(url)), "bad_url", url);
    for (const url of ["http://a.com:6379/", "https://a.com:8443/", "http://a.com:22/"])
      assert.equal(refusalOf(new URL(url)), "blocked_address", url);
    for (const url of ["http://a.com/", "https://a.com/", "http://a.com:443/", "https://a.com:80/", "http://8.8.8.8/"])
      assert.equal(refusalOf(new URL(url)), null, url);
  });
});

describe("the guarded look-up", () => {
  const look = (resolve: (name: string) => Promise<string[]>, all: boolean) =>
    new Promise<unknown>((done, fail) =>
      guardedLookup(resolve)("joe.com", { all }, (error, found) => (error ? fail(error) : done(found))),
    );

  it("hands over the very addresses that it checked", async () => {
    const found = await look(async () => ["8.8.8.8", "2606:4700::1111"], true);
    assert.deepEqual(found, [
      { address: "8.8.8.8", family: 4 },
      { address: "2606:4700::1111", family: 6 },
    ]);
    assert.equal(await look(async () => ["8.8.8.8"], false), "8.8.8.8");
  });

  it("refuses a name with one inner address among public ones", async () => {
    await assert.rejects(
      look(async () => ["8.8.8.8", "::ffff:10.0.0.1"], true),
      { code: "BLOCKED_ADDRESS" },
    );
  });

  it("asks anew each time, so that a name that changes its mind is refused then", async () => {
    const answers = [["8.8.8.8"], ["127.0.0.1"]];
    const rebinding = async () => answers.shift()!;
    await look(rebinding, true);
    await assert.rejects(look(rebinding, true), { code: "BLOCKED_ADDRESS" });
  });

  it("passes on why a name has no address", async () => {
    const failing = async () => {
      throw new LookupError("ESERVFAIL", "joe.com");
    };
    await assert.rejects(look(failing, true), { code: "ESERVFAIL" });
    await assert.rejects(
      look(async () => [], true),
      { code: "ENOTFOUND" },
    );
  });
});

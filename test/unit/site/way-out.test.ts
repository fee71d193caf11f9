import assert from "node:assert/strict";
import { suspicionOf, WayOut } from "../../../services/site/way-out.ts";

const domains = ["a.com", "b.com", "c.com", "d.com", "e.com"];

describe("the way out", () => {
  it("is suspect once five domains failed alike, and down when nobody answers the control question", () => {
    const way = new WayOut();
    assert.deepEqual(
      domains.map((d, i) => way.failed("dns", d, i)),
      ["up", "up", "up", "up", "suspect"],
    );
    assert.equal(way.controlFailed("dns", 5), "down");
  });

  it("stays down, however long nothing is asked, until something proves the way", () => {
    const way = new WayOut();
    for (const d of domains) way.failed("network", d, 0);
    way.controlFailed("network", 0);
    assert.equal(way.state(3_600_000), "down");
    way.reached();
    assert.equal(way.state(3_600_000), "up");
    assert.equal(way.failed("network", "f.com", 3_600_000), "up");
  });

  it("takes one domain that fails again and again for that domain's own fault", () => {
    const way = new WayOut();
    for (let i = 0; i < 100; i++) assert.equal(way.failed("dns", "a.com", i), "up");
  });

  it("does not add up failures of different kinds", () => {
    const way = new WayOut();
    for (const d of domains.slice(0, 4)) way.failed("dns", d, 0);
    assert.equal(way.failed("network", "e.com", 0), "up");
  });

  it("begins anew after any success", () => {
    const way = new WayOut();
    for (const d of domains.slice(0, 4)) way.failed("network", d, 0);
    way.reached();
    assert.equal(way.failed("network", "e.com", 1), "up");
  });

  it("takes an answer of the name service as proof of the name service only", () => {
    const way = new WayOut();
    for (const d of domains.slice(0, 4)) for (const kind of ["dns", "network"] as const) way.failed(kind, d, 0);
    way.resolved();
    assert.equal(way.failed("dns", "e.com", 1), "up");
    assert.equal(way.failed("network", "e.com", 1), "suspect");
  });

  it("forgets failures of half a minute ago", () => {
    const way = new WayOut();
    for (const d of domains.slice(0, 4)) way.failed("dns", d, 0);
    assert.equal(way.failed("dns", "e.com", 30_000), "up");
    assert.equal(way.failed("dns", "f.com", 30_001), "up");
  });

  it("is not brought down by one site and a control host that a firewall may hide", () => {
    const way = new WayOut();
    way.failed("network", "a.com", 0);
    assert.equal(way.controlFailed("network", 1), "up");
  });

  it("is down by one name and a root zone that both get no answer", () => {
    const way = new WayOut();
    way.failed("dns", "a.com", 0);
    assert.equal(way.isOpen("dns", "a.com"), true);
    assert.equal(way.controlFailed("dns", 1), "down");
    way.resolved();
    assert.deepEqual([way.state(2), way.isOpen("dns", "a.com")], ["up", false]);
  });

  it("never takes a silent name service for an unknown domain, nor the reverse", () => {
    assert.equal(suspicionOf("EAI_AGAIN"), "dns");
    assert.equal(suspicionOf("ESERVFAIL"), "dns");
    assert.equal(suspicionOf("ENOTFOUND"), null);
    assert.equal(suspicionOf("ENODATA"), null);
  });

  it("takes refusal, reset and TLS for the site's own", () => {
    for (const code of ["ECONNREFUSED", "ECONNRESET", "CERT_HAS_EXPIRED"]) assert.equal(suspicionOf(code), null);
    for (const code of ["ENETUNREACH", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"])
      assert.equal(suspicionOf(code), "network");
  });
});

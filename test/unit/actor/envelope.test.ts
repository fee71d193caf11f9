import assert from "node:assert/strict";
import { headers as natsHeaders } from "nats";
import { headers } from "../../../config/names.ts";
import {
  countOf,
  type Envelope,
  fits,
  maxBytes,
  maxItemBytes,
  maxLeads,
  pack,
  type Route,
  unpack,
} from "../../../mixins/actor/envelope.ts";
import { aLead } from "../../support/leads.ts";

const route: Route = {
  tenant: "acme",
  lane: "bulk",
  requestId: "a".repeat(32),
  traceparent: `00-${"b".repeat(32)}-${"c".repeat(16)}-01`,
  importId: "import-7",
};
const items = (count: number, name = "x") =>
  Array.from({ length: count }, () => ({ lead: aLead({ fields: { name } }) }));
const id = (envelope: Envelope) => envelope.headers.get(headers.msgId);
const text = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));
const refused = (data: Uint8Array, h: Envelope["headers"] | undefined, why: RegExp) =>
  assert.throws(() => unpack(data, h), { type: "ENVELOPE", message: why });

describe("an envelope", () => {
  it("brings its leads, their tries and its route back as they were", () => {
    const tries = { count: 2, firstAt: 1, lastAt: 2, error: { type: "X", message: "no" } };
    const sent = [{ lead: aLead() }, { lead: aLead(), tries }];
    const [envelope] = pack(route, sent);
    assert.deepEqual(unpack(envelope!.data, envelope!.headers), { route, items: sent });
  });

  it("holds one lead on the live lane and up to 50 on the bulk lane, and says how many", () => {
    assert.deepEqual(
      pack({ ...route, lane: "live" }, items(3)).map(({ count }) => count),
      [1, 1, 1],
    );
    const bulk = pack(route, items(120));
    assert.deepEqual(
      bulk.map(({ headers: h }) => countOf(h)),
      [maxLeads, maxLeads, 20],
    );
  });

  it("is cut at 64 kB, and a lead larger than that travels alone", () => {
    const sizes = pack(route, items(20, "x".repeat(10_000))).map(({ count, data }) => {
      assert.ok(data.length <= maxBytes + 1_000);
      return count;
    });
    assert.deepEqual(sizes, [6, 6, 6, 2]);
    const sent = [...items(1), ...items(1, "x".repeat(2 * maxBytes)), ...items(1)];
    assert.deepEqual(
      pack(route, sent).map(({ count }) => count),
      [1, 1, 1],
    );
  });

  it("counts bytes, not characters, when it asks whether a message can hold a lead", () => {
    const wide = "漢".repeat(maxItemBytes / 3 + 1_000);
    assert.ok(wide.length < maxItemBytes);
    assert.equal(fits(wide), false);
    assert.equal(fits("x".repeat(maxItemBytes)), true);
    assert.throws(() => pack(route, items(1, wide)), { type: "ENVELOPE" });
  });

  it("has the same id when the same leads are sent again, and another for a new telling, stage or try", () => {
    const lead = aLead();
    const of = (item: Parameters<typeof pack>[1][number]) => id(pack(route, [item])[0]!);
    const first = of({ lead });
    assert.equal(of({ lead: structuredClone(lead) }), first);
    const tries = { count: 1, firstAt: 5, lastAt: 5, error: { type: "X", message: "" } };
    const others = [
      of({ lead: { ...lead, revision: lead.revision + 1 } }),
      of({ lead: { ...lead, timeline: [{ stage: "one", at: 1, waitedMs: 0, workedMs: 0, outcome: "forward" }] } }),
      of({ lead, tries }),
      of({ lead, tries: { ...tries, count: 2 } }),
      id(pack({ ...route, requestId: "d".repeat(32) }, [{ lead }])[0]!),
    ];
    assert.equal(new Set([first, ...others]).size, others.length + 1);
  });

  it("is refused, with the reason, when it is none of ours", () => {
    const [good] = pack(route, items(1)) as [Envelope];
    const changed = (name: string, value: string | null) => {
      const h = natsHeaders();
      for (const key of good.headers.keys()) h.set(key, good.headers.get(key));
      if (value === null) h.delete(name);
      else h.set(name, value);
      return h;
    };
    const { lead } = items(1)[0]!;
    const body = (...of: unknown[]) => text({ v: 1, items: of });
    refused(good.data, undefined, /Leads-Version is missing/);
    refused(good.data, changed(headers.version, "2"), /Leads-Version is "2"/);
    refused(good.data, changed(headers.tenant, "Not A Tenant"), /is no tenant/);
    refused(good.data, changed(headers.tenant, null), /is no tenant/);
    refused(good.data, changed(headers.lane, "fast"), /"fast" is no lane/);
    refused(good.data, changed(headers.tenant, "other"), /a lead of tenant "acme" in an envelope of "other"/);
    refused(new TextEncoder().encode("{nope"), good.headers, /not JSON$/);
    refused(new Uint8Array([0xff, 0xfe, 0x00, 0x80]), good.headers, /not JSON/);
    refused(new Uint8Array(), good.headers, /not JSON/);
    for (const wrong of [null, 7, [], {}, { v: 2, items: [{ lead }] }, { v: 1, items: [] }, { v: 1, items: {} }])
      refused(text(wrong), good.headers, /no items of this version/);
    refused(body(null), good.headers, /has no id/);
    refused(body({}), good.headers, /has no id/);
    refused(body({ lead: { ...lead, leadId: "a\r\nb" } }), good.headers, /has no id/);
    refused(body({ lead: { ...lead, timeline: null } }), good.headers, /is no lead/);
    refused(body({ lead: { ...lead, revision: "1" } }), good.headers, /is no lead/);
    refused(body({ lead, tries: { count: "many" } }), good.headers, /tries/);
    refused(body({ lead, tries: null }), good.headers, /tries/);
    refused(body(...Array.from({ length: 51 }, () => ({ lead }))), good.headers, /51 items/);
    refused(body({ lead: { ...lead, facts: { x: "x".repeat(maxItemBytes) } } }), good.headers, /bytes/);
  });
});

import assert from "node:assert/strict";
import { mayBeIn, readPage } from "../../../services/listing-ndjson/page.ts";
import { leadsOf } from "../../../services/source/leads-of.ts";
import { itemsOf } from "../../../services/source/work.ts";

const options = {
  offset: 0,
  wanted: () => true,
  maxRows: 3,
  maxBytes: 10_000,
  maxScanBytes: 100_000,
  maxLineBytes: 100,
};
const text = `${Array.from({ length: 7 }, (_, n) => `{"name":"Caf\u00e9 ${n}"}`).join("\n")}\nnot json\n[1]\n\n{"long":"${"x".repeat(200)}"}\n{"name":"last"}`;

async function* pieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
/** All pages of the text, each begun where the one before said. */
async function pages(over: Partial<typeof options> = {}, size = 1_000) {
  const bytes = Buffer.from(text);
  const all = [];
  for (let offset = 0; ; ) {
    const page = await readPage(pieces(bytes.subarray(offset), size), { ...options, ...over, offset });
    all.push(page);
    if (page.cursor === null) return all;
    assert.ok(Number(page.cursor) > offset, "a page goes on");
    offset = Number(page.cursor);
  }
}

describe("listings: a page of NDJSON", () => {
  it("gives every row once, whatever the pages and the pieces", async () => {
    const expected = [...Array.from({ length: 7 }, (_, n) => `Caf\u00e9 ${n}`), "last"];
    for (const over of [{}, { maxRows: 1 }, { maxRows: 100 }, { maxBytes: 1 }, { maxScanBytes: 1 }])
      for (const size of [1, 7, 1_000]) {
        const all = await pages(over, size);
        assert.deepEqual(
          all.flatMap(({ rows }) => rows.map(({ raw }) => (raw as { name: string }).name)),
          expected,
        );
        assert.equal(
          all.reduce((sum, { unreadable }) => sum + unreadable, 0),
          3,
        );
      }
  });

  it("ends a page that finds nothing after a bounded read", async () => {
    const all = await pages({ wanted: () => false, maxScanBytes: 50 });
    assert.ok(all.length > 3);
    assert.deepEqual(
      all.flatMap(({ rows }) => rows),
      [],
    );
  });

  it("leaves out what plainly is elsewhere, and nothing else", () => {
    for (const row of [
      { zip: "60601" },
      { zip: "60601-1234" },
      { zip: 60601 },
      { address: { zip: "60601" } },
      { address: "1 Main St" },
      { zip: "" },
      {},
    ])
      assert.equal(mayBeIn(row, "60601"), true, JSON.stringify(row));
    for (const row of [{ zip: "60602" }, { address: { zip: "60602" } }, { zip: 2134 }])
      assert.equal(mayBeIn(row, "60601"), false, JSON.stringify(row));
    assert.equal(mayBeIn({ zip: "2134" }, "02134"), true);
  });
});

describe("source: work items", () => {
  const order = {
    tenant: "acme",
    provider: "ndjson",
    listing: "l",
    zips: ["60601", "60602", "60601"],
    verticals: ["Bar", "bar", "Bakery"],
    trust: "scraped",
    region: "US",
  } as const;

  it("are every zip with every vertical, once, with ids that a repeat gives again", () => {
    const items = itemsOf(order, 1);
    assert.deepEqual(
      items.map(({ zip, vertical }) => `${zip} ${vertical}`),
      ["60601 bar", "60601 bakery", "60602 bar", "60602 bakery"],
    );
    assert.deepEqual(
      items.map(({ leadId }) => leadId),
      itemsOf(order, 2).map(({ leadId }) => leadId),
    );
    assert.equal(new Set([...items, ...itemsOf({ ...order, tenant: "b" }, 1)].map(({ leadId }) => leadId)).size, 8);
  });

  it("take the listings that are theirs, with ids from their content", () => {
    const [item] = itemsOf(order, 1);
    const rows = [
      { name: "A", zip: "60601", vertical: "bar" },
      { name: "B", zip: "60601", categories: ["Bar", "Pub"], vertical: "restaurant" },
      { name: "C", address: "1 Main St, Chicago, IL 60601" },
      { name: "D", zip: "60601", vertical: "bakery" },
      { name: "E", zip: "60602", vertical: "bar" },
      { zip: "60601" },
    ].map((raw) => ({ raw }));
    const { leads, refused } = leadsOf(item!, { rows }, 5);
    assert.deepEqual(
      leads.map(({ fields }) => fields.name),
      ["A", "B", "C"],
    );
    assert.equal(refused, 1);
    assert.deepEqual(
      leadsOf(item!, { rows }, 9).leads.map(({ leadId }) => leadId),
      leads.map(({ leadId }) => leadId),
    );
    assert.equal(new Set(leads.map(({ leadId }) => leadId)).size, 3);
  });
});

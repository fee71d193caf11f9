import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { fieldMask, tokenOf } from "../../../services/places/read.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { type PlacesStub, placesKey, placesStub } from "../../support/providers/places.ts";
import { leadsIn } from "../import/support.ts";

const services = ["budget/budget", "places/places", "source/source"].map((name) => `services/${name}.service.ts`);
interface Page {
  rows: { raw: any; answer: any }[];
  cursor: string | null;
}
const search = { tenant: "acme", listing: "search", zip: "60601", vertical: "coffee-shop", region: "US" };
const page = (mesh: TestMesh, cursor: string | null, more: object = {}) =>
  mesh.broker.call<Page, object>("listing-places.page", { ...search, cursor, effect: randomUUID(), ...more });
const spent = async (mesh: TestMesh) =>
  (await mesh.broker.call<any, object>("budget.status", { tenant: "acme" })).today.spentMicro;

describe("listings of Google Places", () => {
  let stub: PlacesStub;
  let mesh: TestMesh;
  before(async function () {
    this.timeout(60_000);
    stub = await placesStub();
    const env = { LEADS_PLACES_URL: stub.url, LEADS_PLACES_KEY: placesKey };
    mesh = await startMesh({ services, env });
  });
  beforeEach(() => {
    stub.found = 45;
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await stub?.[Symbol.asyncDispose]();
  });

  it("come page by page under a field mask to the last token, without the closed ones, each page paid", async () => {
    const seen: Page["rows"] = [];
    let cursor: string | null = null;
    do {
      const got: Page = await page(mesh, cursor);
      seen.push(...got.rows);
      cursor = got.cursor;
    } while (cursor !== null);
    assert.equal(stub.served, 3);
    assert.equal(seen.length, 41);
    assert.deepEqual(seen[0]!.raw, {
      sourceId: "ChIJ-60601-0",
      name: "Bakery 0",
      phone: "+1 312-555-0000",
      website: "https://bakery-0.example/",
      street: "100 W Lake St",
      city: "Chicago",
      state: "Illinois",
      zip: "60601",
      country: "US",
      rating: 4.5,
      reviewCount: 10,
      categories: ["bakery", "food store"],
    });
    assert.deepEqual(seen[0]!.answer, { id: "ChIJ-60601-0" }, "no more of Google's words may be kept");
    assert.equal(stub.mask, fieldMask);
    assert.doesNotMatch(fieldMask, /\*|review[^s]|photos|reviews/);
    assert.equal(stub.body.textQuery, "coffee shop in 60601");
    assert.equal(await spent(mesh), 105_000);
  });

  it("end at the sixty that Google shows, and where there is nothing", async () => {
    stub.found = 500;
    let cursor: string | null = null;
    for (let n = 0; n < 3; n++) ({ cursor } = await page(mesh, cursor));
    assert.equal(cursor, null);
    assert.deepEqual(await page(mesh, null, { zip: "99999" }), { rows: [], unreadable: 0, cursor: null });
  });

  it("begin anew, once, where a page's token is known no more", async () => {
    const first = await page(mesh, null);
    stub.forget();
    const again = await page(mesh, first.cursor);
    assert.deepEqual(again.rows, first.rows);
    assert.deepEqual([tokenOf(first.cursor!).round, tokenOf(again.cursor!).round], [0, 1]);
    stub.forget();
    await assert.rejects(page(mesh, again.cursor), { type: "PROVIDER_REFUSED" });
    // What belongs to another search is refused as what is past its end.
    const other = await page(mesh, null);
    assert.equal((await page(mesh, other.cursor, { zip: "60602" })).rows[0]!.raw.zip, "60602");
  });

  it("fill the work of the stage source as Google's, which believes them more than Yelp's", async () => {
    const order = { tenant: "acme", provider: "places", listing: "search", zips: ["60603"], verticals: ["bakery"] };
    await mesh.broker.call("source.enqueue", order);
    const stats = async () => (await mesh.broker.call<any>("source.state")).stats;
    await eventually("it is done", async () => (await stats()).complete === 1, { withinMs: 30_000 });
    const leads = await leadsIn(mesh.resources, mesh.names.intake.stream);
    assert.equal(new Set(leads.map(({ sourceId }) => sourceId)).size, 41);
    const [lead] = leads;
    assert.deepEqual([lead!.source, lead!.trust, lead!.tier], ["places", "google", undefined]);
    assert.deepEqual(lead!.fields.address?.state, "IL");
    const knex = mesh.resources.databases.of("acme");
    const kept = await knex("listing_raw").where({ tenant: "acme", source: "places" });
    assert.equal(kept.length, 41);
    assert.deepEqual(kept.find((row) => row.source_id === lead!.sourceId)!.answer, { id: lead!.sourceId });
  });
});

describe("what is kept of Google's words", () => {
  it("is the whole answer where the operator says that it may be", async function () {
    this.timeout(60_000);
    await using stub = await placesStub();
    stub.found = 1;
    const env = { LEADS_PLACES_URL: stub.url, LEADS_PLACES_KEY: placesKey, LEADS_PLACES_RAW: "answer" };
    await using mesh = await startMesh({ services, env });
    const { rows } = await page(mesh, null);
    assert.equal(rows[0]!.answer.id, rows[0]!.raw.sourceId);
    assert.equal(rows[0]!.answer.displayName.text, rows[0]!.raw.name);
    assert.deepEqual(rows[0]!.answer.postalAddress.regionCode, "US");
  });
});

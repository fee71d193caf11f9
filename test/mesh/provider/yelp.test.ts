import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isEnd, sortError } from "../../../services/yelp/read.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import { business, yelpKey, yelpStub } from "../../support/providers/yelp.ts";
import { stage } from "../../support/stages.ts";
import { leadsIn } from "../import/support.ts";

const services = ["services/budget/budget.service.ts", "services/yelp/yelp.service.ts"];
const flow = [{ name: "end" }];
const envOf = (stub: HttpStub, more: Record<string, string> = {}) => ({
  LEADS_YELP_URL: stub.url,
  LEADS_YELP_KEY: yelpKey,
  LEADS_YELP_PRICE: "8000",
  ...more,
});
const start = (stub: HttpStub, more: Record<string, string> = {}) =>
  startMesh({ flow, services: [stage("end"), ...services], env: envOf(stub, more) });
interface Page {
  rows: { raw: any }[];
  cursor: string | null;
}
const page = (mesh: TestMesh, cursor: string | null, more: object = {}) =>
  mesh.broker.call<Page, object>("listing-yelp.page", {
    tenant: "acme",
    listing: "search",
    zip: "60601",
    vertical: "bakery",
    cursor,
    effect: randomUUID(),
    ...more,
  });
const spent = async (mesh: TestMesh) =>
  (await mesh.broker.call<any, object>("budget.status", { tenant: "acme" })).today.spentMicro;

describe("listings of Yelp", () => {
  it("come page by page to the end of what was found, without the closed ones, each page paid", async () => {
    await using stub = await yelpStub({ found: 120 });
    await using mesh = await start(stub);
    const seen: any[] = [];
    let cursor: string | null = null;
    const cursors: (string | null)[] = [];
    do {
      const got: Page = await page(mesh, cursor);
      seen.push(...got.rows.map(({ raw }) => raw));
      cursor = got.cursor;
      cursors.push(cursor);
    } while (cursor !== null);
    assert.deepEqual(cursors, ["50", "100", null]);
    assert.equal(seen.length, 108);
    assert.deepEqual(seen[0], {
      sourceId: "yelp-60601-0",
      name: "Bakery 0",
      phone: "+13125550000",
      street: "100 W Lake St",
      city: "Chicago",
      state: "IL",
      zip: "60601",
      country: "US",
      rating: 4.5,
      reviewCount: 10,
      categories: ["Bakeries"],
    });
    assert.equal(await spent(mesh), 24_000);
  });

  it("end at the thousandth, and where Yelp shows fewer", async () => {
    await using stub = await yelpStub({ found: 5_000 });
    await using mesh = await start(stub);
    assert.equal((await page(mesh, "950")).cursor, null);
    assert.deepEqual(await page(mesh, "1000"), { rows: [], unreadable: 0, cursor: null });
    assert.equal(stub.requests.length, 1, "past its end Yelp is not asked");
    await using less = await yelpStub({ found: 5_000, shown: 240 });
    await using other = await start(less);
    assert.equal((await page(other, "150")).cursor, "200");
    assert.deepEqual(await page(other, "200"), { rows: [], unreadable: 0, cursor: null });
  });

  it("are none where Yelp does not know the place", async () => {
    await using stub = await yelpStub();
    await using mesh = await start(stub);
    assert.deepEqual(await page(mesh, null, { zip: "00000" }), { rows: [], unreadable: 0, cursor: null });
    assert.equal(isEnd("VALIDATION_ERROR", 0), false, "a first page that is refused is a fault, not an end");
  });

  it("wait till the reset that Yelp names when the day is used up, or midnight UTC", async () => {
    await using stub = await yelpStub();
    await using mesh = await start(stub);
    stub.dayIsUsed = true;
    const error: any = await page(mesh, null).catch((e: unknown) => e);
    assert.equal(error.type, "PROVIDER_LATER");
    assert.ok(Math.abs(error.data.until - Date.now() - 7_200_000) < 10_000);
    const noon = Date.UTC(2026, 10, 23, 12);
    const body = { error: { code: "ACCESS_LIMIT_REACHED" } };
    const sorted = sortError({ status: 429, headers: new Headers() }, body, noon);
    assert.deepEqual([sorted?.kind, (sorted as { waitMs: number }).waitMs], ["later", 12 * 3_600_000]);
  });

  it("are a dead letter of the stage source where they cannot be read, paid three times at the most", async function () {
    this.timeout(60_000);
    await using stub = await yelpStub();
    await using mesh = await startMesh({
      services: [...services, "services/source/source.service.ts"],
      env: envOf(stub, { LEADS_PROBE_MIN_MS: "50", LEADS_PROBE_MAX_MS: "200" }),
    });
    stub.failure = "another shape";
    const order = { tenant: "acme", provider: "yelp", listing: "search", zips: ["60601"], verticals: ["bakery"] };
    await mesh.broker.call("source.enqueue", order);
    const dead = async () => (await (await mesh.nats.jetstreamManager()).streams.info(mesh.names.dead.stream)).state;
    await eventually("it is dead", async () => (await dead()).messages === 1, { withinMs: 30_000 });
    assert.equal(stub.requests.length, 3);
    assert.equal(await spent(mesh), 24_000);
  });

  it("fill the work of the stage source, which waits through a 429 without a try, and keep Yelp's ids", async function () {
    this.timeout(60_000);
    await using stub = await yelpStub({ found: 70 });
    await using mesh = await startMesh({
      services: [...services, "services/source/source.service.ts"],
      env: envOf(stub),
    });
    stub.failure = "429";
    await mesh.broker.call("source.enqueue", {
      tenant: "acme",
      provider: "yelp",
      listing: "search",
      zips: ["60601"],
      verticals: ["bakery"],
    });
    const stats = async () => (await mesh.broker.call<any>("source.state")).stats;
    await eventually("it waits", async () => (await stats()).wait === 1);
    assert.equal(await spent(mesh), 0);
    stub.failure = "none";
    await eventually("it is done", async () => (await stats()).complete === 1, { withinMs: 30_000 });
    const leads = await leadsIn(mesh.resources, mesh.names.intake.stream);
    assert.equal(new Set(leads.map(({ sourceId }) => sourceId)).size, 63);
    assert.deepEqual([leads[0]!.source, leads[0]!.trust, leads[0]!.fields.vertical], ["yelp", "yelp", "bakery"]);
    assert.match(leads[0]!.sourceId!, /^yelp-60601-\d+$/);
    assert.equal((await stats()).retry, 0);
    assert.equal(await spent(mesh), 16_000);
    const kept = await mesh.resources.databases.of("acme")("listing_raw").where({ tenant: "acme", source: "yelp" });
    assert.equal(kept.length, 63);
    assert.deepEqual(kept.find((row) => row.source_id === "yelp-60601-7")!.answer, business(7, "60601"));
  });
});

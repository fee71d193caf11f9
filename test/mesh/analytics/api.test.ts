import assert from "node:assert/strict";
import { Business, nthLead } from "../../support/business.ts";
import { eventually } from "../../support/eventually.ts";
import { kept, recount } from "../../support/figures.ts";
import { generous, postBulk, stages, startGateway, type TestGateway } from "../../support/gateway.ts";

const lead = (n: number, given: object = {}) => ({
  name: `Business ${n}`,
  email: `owner@business-${n}.example`,
  street: `${n} State St`,
  city: "Chicago",
  state: "IL",
  zip: n % 2 === 0 ? "60601" : "60602",
  source: n % 3 === 0 ? "crm" : "list",
  sourceId: `${n}`,
  vertical: "bakery",
  ...given,
});

describe("GET /v1/analytics", () => {
  let gateway: TestGateway;
  let acme: string;
  let platform: string;
  let today: string;

  before(async function () {
    this.timeout(60_000);
    gateway = await startGateway({
      services: [...stages, ...["analytics", "rights"].map((name) => `services/${name}/${name}.service.ts`)],
      env: { ...generous, LEADS_ERASE_AGAIN_MS: "200" },
    });
    acme = (await gateway.key("acme", "ingest", "read", "operate")).secret;
    platform = (await gateway.key("operators", "platform", "read", "ingest")).secret;
    const rows = [
      ...Array.from({ length: 11 }, (_, n) => lead(n)),
      lead(0, { name: "Business 0 Inc", sourceId: "again", source: "crm" }),
      lead(20, { source: "@SUM(1+1)", vertical: "florist" }),
    ];
    const file = rows.map((row) => JSON.stringify(row)).join("\n");
    await postBulk(gateway, acme, file);
    // The same once more: a repeat.
    await postBulk(gateway, acme, file);
    await postBulk(gateway, platform, JSON.stringify(lead(40, { zip: "94103" })));
    await counted((figures) => figures.totals.completed + figures.totals.merged === 14);
    today = new Date().toISOString().slice(0, 10);
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  const get = async (query = "", secret = acme) => {
    const answer = await gateway.call(secret, `/v1/analytics${query}`);
    return (await answer.json()) as any;
  };
  /** Waits until the figures, all tenants', are those that are meant; they are then what a recount says. */
  const counted = async (isMeant: (figures: any) => boolean) => {
    await eventually("it is counted", async () => isMeant(await get("?tenant=*", platform)));
    const knex = gateway.resources.databases.of("acme");
    await eventually("all is counted", async () => !(await knex("analytics_changes").first()));
    assert.deepEqual(await kept(knex), await recount(knex));
  };

  it("tells the funnel by day, with a row for every day", async () => {
    const figures = await get();
    assert.deepEqual([figures.by, figures.to, figures.items.length], ["day", today, 30]);
    assert.equal(figures.items.at(-1).key, today);
    assert.equal(figures.items[0].takenIn, 0);
    const { takenIn, completed, merged, scored, scores, mockedUp } = figures.totals;
    assert.deepEqual({ takenIn, completed, merged, scored }, { takenIn: 13, completed: 12, merged: 1, scored: 12 });
    assert.equal(
      scores.reduce((a: number, b: number) => a + b),
      12,
    );
    assert.equal(mockedUp, 12);
    assert.ok(Date.now() - figures.countedAt < 60_000);
  });

  it("says what is not measured, and shows no nought for it", async () => {
    const figures = await get();
    assert.deepEqual(figures.notMeasured, ["opened"]);
    assert.equal(figures.totals.opened, null);
  });

  it("tells it by source, vertical, ZIP code and tenant, the largest first, and what is left out", async () => {
    const of = async (query: string, secret?: string) =>
      (await get(query, secret)).items.map(({ key, takenIn }: any) => [key, takenIn]);
    assert.deepEqual(await of("?by=source"), [
      ["list", 7],
      ["crm", 5],
      ["@SUM(1+1)", 1],
    ]);
    assert.deepEqual(await of("?by=zip"), [
      ["60601", 8],
      ["60602", 5],
    ]);
    assert.deepEqual((await of("?by=vertical"))[0], ["bakery", 12]);
    assert.deepEqual(await of("?by=source&vertical=bakery&limit=1"), [["list", 7]]);
    assert.equal((await get("?by=source&limit=1")).left, 2);
    assert.deepEqual(await of("?by=tenant&tenant=*", platform), [
      ["acme", 13],
      ["operators", 1],
    ]);
    assert.deepEqual(await of("?by=zip&tenant=operators", platform), [["94103", 1]]);
    assert.deepEqual(await of(`?by=day&zip=60602&from=${today}`), [[today, 5]]);
  });

  it("tells curves: a row for every day of every value", async () => {
    const { items } = await get("?by=source&daily=true");
    assert.equal(items.length, 90);
    assert.deepEqual([items[29].key, items[29].day, items[29].takenIn], ["list", today, 7]);
    assert.deepEqual([items[30].key, items[30].takenIn], ["crm", 0]);
  });

  it("tells the scoring rules that fired", async () => {
    const answer = await gateway.call(acme, "/v1/analytics/rules");
    const { items } = (await answer.json()) as any;
    assert.ok(items.length > 0);
    for (const { rule, points, multiplier, leads } of items) {
      assert.ok(rule.length > 0 && leads > 0);
      assert.ok((points === null) !== (multiplier === null), rule);
    }
  });

  it("comes as CSV that no spreadsheet runs", async () => {
    const answer = await gateway.call(acme, "/v1/analytics?by=source&format=csv");
    assert.equal(answer.headers.get("content-type"), "text/csv; charset=utf-8");
    assert.match(
      answer.headers.get("content-disposition")!,
      /^attachment; filename="leads-\d{4}-\d\d-\d\d-[\d-]+\.csv"$/,
    );
    const [head, ...lines] = (await answer.text()).trimEnd().split("\r\n");
    assert.match(head!, /^key,takenIn,inProgress,.*scores\.9,mockedUp,mailed,opened,/);
    assert.match(lines[0]!, /^list,7,/);
    assert.match(lines[2]!, /^'@SUM\(1\+1\),1,/);
  });

  it("refuses days that are none, too many of them, and what is not counted together", async () => {
    for (const query of [
      "?from=2026-02-30",
      "?to=2026-13-01",
      "?from=2020-01-01",
      "?zip=60601&source=crm",
      "?by=source&zip=60601",
      "?by=vertical&zip=60601",
      "?by=rule",
    ]) {
      const answer = await gateway.call(acme, `/v1/analytics${query}`);
      assert.equal(answer.status, 422, query);
    }
  });

  it("follows an unmerge and an erasure, which waits for it", async () => {
    const knex = gateway.resources.databases.of("acme");
    const merged = await knex("leads").where({ tenant: "acme", state: "merged" }).first();
    const apart = await gateway.call(acme, `/v1/leads/${merged.lead_id}/unmerge`, { method: "POST" });
    assert.equal(apart.status, 200);
    await counted(({ totals }) => totals.merged === 0 && totals.completed === 14);
    const { lead_id: id } = await knex("leads").where({ tenant: "operators" }).first();
    const erased = await gateway.call(platform, `/v1/leads/${id}`, { method: "DELETE" });
    assert.equal(erased.status, 403, "a key without the scope");
    const operator = (await gateway.key("operators", "operate", "read")).secret;
    const gone = await gateway.call(operator, `/v1/leads/${id}`, { method: "DELETE" });
    assert.equal(gone.status, 200);
    // At once: the erasure is not answered before.
    const left = await get("?by=zip", operator);
    assert.deepEqual(
      left.items.map(({ key, takenIn, erased }: any) => [key, takenIn, erased]),
      [["", 1, 1]],
    );
    await counted(({ totals }) => totals.erased === 1);
  });
});

describe("opens in GET /v1/analytics", function () {
  this.timeout(60_000);
  const start = async (env: Record<string, string>) => {
    const gateway = await startGateway({ services: ["services/analytics/analytics.service.ts"], env });
    const business = new Business(gateway);
    const { secret } = await gateway.key("acme", "read");
    const lead = nthLead(0);
    await business.arrive(lead);
    await business.mail(lead, "sent");
    const read = async (more: string) =>
      await gateway.call(secret, `/v1/analytics?from=2026-03-01&to=2026-03-02${more}`);
    /** What is told once the lead counts as mailed, and as opened so often. */
    const told = (opened: number | null) =>
      eventually(`the figures say ${opened} of opens`, async () => {
        const figures = (await (await read("")).json()) as any;
        return figures.totals.mailed === 1 && figures.totals.opened === opened && figures;
      });
    return {
      open: () => business.open(lead),
      read,
      told,
      async [Symbol.asyncDispose]() {
        await business[Symbol.asyncDispose]();
        await gateway[Symbol.asyncDispose]();
      },
    };
  };

  it("are null where they are not tracked, and a number as soon as one is told all the same", async () => {
    await using mesh = await start({});
    const before = await mesh.told(null);
    assert.deepEqual([before.notMeasured, before.items[0].opened], [["opened"], null]);
    await mesh.open();
    const { notMeasured, items } = await mesh.told(1);
    assert.deepEqual([notMeasured, items[0].opened, items[1].opened], [[], 1, 0]);
    const [head, first] = (await (await mesh.read("&format=csv")).text()).split("\r\n").map((line) => line.split(","));
    assert.equal(first![head!.indexOf("opened")], "1");
  });

  it("are a number where they are tracked, and null where SMTP carries e-mails", async () => {
    await using mesh = await start({ LEADS_OPEN_TRACKING: "on" });
    assert.deepEqual((await mesh.told(0)).notMeasured, []);
    await using bySmtp = await start({ LEADS_OPEN_TRACKING: "on", LEADS_SMTP_URL: "smtp://127.0.0.1:25" });
    assert.deepEqual((await bySmtp.told(null)).notMeasured, ["opened"]);
  });
});

import assert from "node:assert/strict";
import { Business, nthLead } from "../../support/business.ts";
import { countAll, kept, recount } from "../../support/figures.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

describe("business figures", () => {
  let place: TestPlace;
  let business: Business;
  before(async () => {
    place = await testPlace();
    business = new Business(place);
  });
  after(async () => {
    await business?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  /** Counts what is noted; they are then what a recount says. Answers the row of one source, today and always. */
  async function counted(source: string): Promise<Record<string, number>> {
    const { knex } = business;
    await countAll(knex);
    const now = await kept(knex);
    assert.deepEqual(now, await recount(knex));
    const rows = Object.entries(now.days).filter(([key]) => key.includes(`|${source}|`));
    assert.ok(rows.length <= 1, "the leads of a test share a row");
    return rows[0]?.[1] ?? {};
  }
  const leads = (source: string, count: number) => Array.from({ length: count }, () => nthLead(0, { source }));

  it("tell how far leads came, with their scores by tens and the rules that fired", async () => {
    const [low, high, best, dead, waits] = leads("stages", 5);
    await business.arrive(low!, high!, best!, dead!, waits!);
    assert.deepEqual(await counted("stages"), { taken_in: 5, in_progress: 5 });
    await business.end(low!, 9, "rejected");
    await business.end(high!, 70);
    await business.end(best!, 100);
    await business.die(dead!);
    assert.deepEqual(await counted("stages"), {
      taken_in: 5,
      in_progress: 1,
      completed: 2,
      rejected: 1,
      dead: 1,
      scored_0: 1,
      scored_7: 1,
      scored_9: 1,
      mocked_up: 2,
    });
    const { rules } = await kept(business.knex);
    assert.deepEqual(rules["acme|2026-03-01|no-site"], { leads: 3, scores: 179 });
    assert.deepEqual(rules["acme|2026-03-01|busy"], { leads: 2, scores: 170 });
  });

  it("count a lead once however often it is told, and where its last telling says", async () => {
    const [lead] = leads("first", 1);
    for (let n = 0; n < 3; n++) await business.arrive(lead!);
    await business.end(lead!, 30);
    await business.end(lead!, 30);
    assert.deepEqual(await counted("first"), { taken_in: 1, completed: 1, scored_3: 1 });
    await business.arrive({ ...lead!, source: "second", revision: lead!.revision + 1 });
    assert.deepEqual(await counted("first"), {});
    assert.deepEqual(await counted("second"), { taken_in: 1, in_progress: 1 });
  });

  it("count a double as merged, and as a lead of its own again when the merge is undone", async () => {
    const [winner, loser] = leads("doubles", 2);
    await business.arrive(winner!, loser!);
    await business.end(winner!, 55);
    await business.end(loser!, 55);
    const apart = { taken_in: 2, completed: 2, scored_5: 2, mocked_up: 2 };
    assert.deepEqual(await counted("doubles"), apart);
    await business.merge(winner!, loser!);
    assert.deepEqual(await counted("doubles"), { taken_in: 2, completed: 1, merged: 1, scored_5: 1, mocked_up: 1 });
    assert.equal((await business.unmerge(loser!)).kind, "done");
    assert.deepEqual(await counted("doubles"), apart);
  });

  it("follow e-mails: sent, bounced, complained of, of unknown fate, and their readers who unsubscribe", async () => {
    const [a, b, c, d, e] = leads("mails", 5);
    await business.arrive(a!, b!, c!, d!, e!);
    for (const lead of [a!, b!, c!, d!]) await business.mail(lead, "sent");
    await business.mail(e!, "claimed");
    const all = { taken_in: 5, in_progress: 5 };
    assert.deepEqual(await counted("mails"), { ...all, mailed: 4 });
    await business.mail(a!, "bounced");
    await business.mail(b!, "complained");
    await business.mail(c!, "written");
    await business.mail(e!, "unknown");
    await business.unsubscribe(d!);
    await business.unsubscribe(d!);
    assert.deepEqual(await counted("mails"), {
      ...all,
      mailed: 3,
      bounced: 1,
      complained: 1,
      unsubscribed: 1,
      mail_unknown: 1,
    });
  });

  it("count a lead as opened once, and while its e-mail is one that went out", async () => {
    const [a, b, double] = leads("opens", 3);
    await business.arrive(a!, b!, double!);
    for (const lead of [a!, b!, double!]) await business.mail(lead, "sent");
    const all = { taken_in: 3, in_progress: 3, mailed: 3 };
    assert.deepEqual(await counted("opens"), all);
    for (const expected of ["applied", "repeat"]) assert.equal(await business.open(a!), expected);
    await business.open(double!);
    assert.deepEqual(await counted("opens"), { ...all, opened: 2 });
    await business.merge(b!, double!);
    assert.deepEqual(await counted("opens"), { ...all, opened: 2, in_progress: 2, merged: 1 });
    await business.mail(a!, "failed");
    assert.deepEqual(await counted("opens"), { taken_in: 3, in_progress: 2, merged: 1, mailed: 2, opened: 1 });
  });

  it("put a cost where its lead is, before and after the lead is on record, and one that is no lead's on its day", async () => {
    const [lead] = leads("costs", 1);
    const today = new Date().toISOString().slice(0, 10);
    await business.spend(lead!, 300);
    await business.spend({ tenant: "acme" }, 7);
    await counted("costs");
    assert.deepEqual((await kept(business.knex)).days[`acme|${today}||`], { cost_micro: 307 });
    await business.arrive(lead!);
    await business.spend(lead!, 50);
    assert.deepEqual(await counted("costs"), { taken_in: 1, in_progress: 1, cost_micro: 350 });
    assert.deepEqual((await kept(business.knex)).days[`acme|${today}||`], { cost_micro: 7 });
  });

  it("keep of an erased lead that there was one, and nothing of where it was", async () => {
    const [lead] = leads("gone", 1);
    lead!.fields.address = { zip: "99999" };
    await business.arrive(lead!);
    await business.end(lead!, 80);
    await business.mail(lead!, "sent");
    await business.open(lead!);
    await business.spend(lead!, 10);
    assert.equal((await counted("gone"))["opened"], 1);
    const before = (await kept(business.knex)).days["acme|2026-03-01||"] ?? {};
    await business.erase(lead!);
    assert.deepEqual(await counted("gone"), {});
    const { days } = await kept(business.knex);
    const now = days["acme|2026-03-01||"]!;
    const more = Object.entries(now).flatMap(([name, n]) =>
      n === before[name] ? [] : [[name, n - (before[name] ?? 0)]],
    );
    assert.deepEqual(Object.fromEntries(more), { taken_in: 1, erased: 1, mailed: 1, cost_micro: 10 });
    for (const table of ["analytics_days", "analytics_zips", "analytics_leads"]) {
      const { rows } = await business.knex.raw(`select t::text as text from ${table} t`);
      assert.doesNotMatch(JSON.stringify(rows), /gone|99999/, table);
    }
  });

  it("are not stopped by a lead that is misshapen", async () => {
    const [lead] = leads("x".repeat(5_000), 1);
    const score = { value: 40, version: "v", fired: "none" } as never;
    const odd = { ...lead!, score, fields: { ...lead!.fields, vertical: "v".repeat(5_000) } };
    await business.die(odd);
    const { knex } = business;
    await countAll(knex);
    assert.deepEqual((await kept(knex)).days[`acme|2026-03-01|${"x".repeat(64)}|${"v".repeat(64)}`], {
      taken_in: 1,
      dead: 1,
      scored_4: 1,
    });
    await knex("leads").where({ lead_id: lead!.leadId }).delete();
    assert.deepEqual(await counted("x"), {}, "and a row that is taken away is counted no more");
  });
});

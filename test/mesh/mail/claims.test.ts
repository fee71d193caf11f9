import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { openDatabase } from "../../../mixins/knex.ts";
import { claimDue, markSending } from "../../../services/email/claims.sql.ts";
import { addressHash } from "../../../services/email/recipient.ts";
import { suppress } from "../../../services/email/suppressions.sql.ts";
import { changeTenant, overdueSeconds, resumeTenant } from "../../../services/email/tenants.sql.ts";
import { writeEnds } from "../../../services/leads/record.ts";
import { aLead } from "../../support/leads.ts";
import { claimOptions, handOver, statesIn, writeSome } from "../../support/mail.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

describe("claims of due e-mails", () => {
  let place: TestPlace;
  let knex: Knex;
  beforeEach(async () => {
    place = await testPlace();
    knex = openDatabase({ ...place.settings, databasePool: 12 });
  });
  afterEach(async () => {
    await knex?.destroy();
    await place?.[Symbol.asyncDispose]();
  });

  const options = claimOptions;
  const hand = () => handOver(knex);

  it("give each e-mail to one of many holders that ask at once", async () => {
    await writeSome(knex, 120);
    const holders = Array.from({ length: 10 }, () => options({ hands: 20 }));
    const handed = new Set<string>();
    for (let round = 0; round < 30 && handed.size < 120; round++)
      await Promise.all(
        holders.map(async (holder) => {
          await claimDue(knex, holder);
          for (const { leadId } of await markSending(knex, holder.holder, 60_000)) {
            assert.ok(!handed.has(leadId), "twice");
            handed.add(leadId);
          }
        }),
      );
    assert.equal(handed.size, 120);
  });

  it("are overdue while nobody takes them and their tenant may send", async () => {
    const set = (tenant: string, columns: object) => knex("mail_tenants").where({ tenant }).update(columns);
    const dueSince = (tenant: string, interval: string) =>
      knex("outbox")
        .where({ tenant })
        .update({ due_at: knex.raw("now() - cast(? as interval)", [interval]) });
    const { rows } = await knex.raw(
      "select cast(extract(epoch from now() - date_trunc('day', now() at time zone 'UTC') at time zone 'UTC') as float8) as s",
    );
    const ofToday = rows[0].s as number;
    const isAbout = async (seconds: number, why: string) => {
      const told = await overdueSeconds(knex);
      const expected = Math.min(seconds, ofToday);
      assert.ok(told >= expected && told < expected + 60, `${why}: ${told} s, not ${expected}`);
    };
    await isAbout(0, "there is none");
    for (const tenant of ["later", "rests", "stopped", "due"]) await writeSome(knex, 2, { tenant });
    await dueSince("later", "-1 hour");
    await dueSince("due", "1000 s");
    for (const tenant of ["rests", "stopped"]) await dueSince(tenant, "2 days");
    await set("rests", { rests_until: knex.raw("now() + interval '1 hour'") });
    await set("stopped", { stopped_at: knex.fn.now() });
    await isAbout(1_000, "what rests or is stopped waits for that");
    await claimDue(knex, options());
    await isAbout(0, "it is taken");
    await set("rests", { rests_until: null });
    await isAbout(172_800, "it may send again since midnight");
    await changeTenant(knex, "rests", { dayLimit: 50_000 });
    await resumeTenant(knex, "stopped");
    await isAbout(0, "they may send since now");
  });

  it("leave out whoever wants no e-mail of this tenant, or of any where the tenant says so", async () => {
    const [a] = await writeSome(knex, 2);
    const [b] = await writeSome(knex, 2, { tenant: "kind" });
    await suppress(knex, [
      { tenant: "stranger", address: addressHash(a!.to), reason: "complaint" },
      { tenant: "stranger", address: addressHash(b!.to), reason: "complaint" },
    ]);
    await changeTenant(knex, "kind", { suppressAcross: true });
    await claimDue(knex, options());
    await claimDue(knex, options());
    const rows = await knex("outbox").select("tenant", "state").orderBy(["tenant", "state"]);
    assert.deepEqual(
      rows.map(({ tenant, state }) => `${tenant} ${state}`),
      ["acme claimed", "acme claimed", "kind claimed", "kind suppressed"],
    );
  });

  it("are asked again before they are handed over: who unsubscribed in between gets none", async () => {
    const [mail] = await writeSome(knex, 2);
    const holder = options();
    assert.equal((await claimDue(knex, holder)).claimed, 2);
    await suppress(knex, [{ tenant: "acme", address: addressHash(mail!.to), reason: "unsubscribed" }]);
    const handed = await markSending(knex, holder.holder, 60_000);
    assert.equal(handed.length, 1);
    assert.notEqual(handed[0]!.leadId, mail!.leadId);
    assert.deepEqual(await statesIn(knex), { sending: 1, suppressed: 1 });
  });

  const merge = ({ leadId }: { leadId: string }, into: string) =>
    writeEnds(knex, [{ lead: aLead({ leadId }), stage: "dedupe", state: "merged", into }]);

  it("are not handed over of a lead that became a double of one that has its own e-mail", async () => {
    const [early, late, winner] = await writeSome(knex, 3);
    await knex("outbox").where({ lead_id: winner!.leadId }).update({ state: "sent", attempts: 1 });
    await merge(early!, winner!.leadId);
    const holder = options();
    assert.equal((await claimDue(knex, holder)).claimed, 2);
    await merge(late!, winner!.leadId);
    assert.deepEqual(await markSending(knex, holder.holder, 60_000), []);
    assert.deepEqual(await statesIn(knex), { cancelled: 2, sent: 1 });
    assert.deepEqual(await knex("outbox").whereNot({ state: "sent" }).pluck("attempts"), [0, 0]);
    assert.equal((await knex("mail_tenants").first()).taken, 0);
  });

  it("let a double's e-mail go while its winner has none, and of several doubles' one", async () => {
    const winner = randomUUID();
    const mails = await writeSome(knex, 3);
    const [first, second, third] = mails.toSorted((a, b) => (a.leadId < b.leadId ? -1 : 1));
    await merge(second!, winner);
    await merge(first!, winner);
    // It is handed over when it becomes one.
    const [handed] = (await hand()).filter(({ leadId }) => leadId === third!.leadId);
    assert.ok(handed);
    assert.deepEqual(await statesIn(knex), { sending: 2, cancelled: 1 });
    assert.equal((await knex("outbox").where({ state: "cancelled" }).first()).lead_id, second!.leadId);
    // Whoever had one before is who is written to.
    await merge(third!, winner);
    await knex("outbox").where({ lead_id: first!.leadId }).update({ state: "written", attempts: 0 });
    assert.deepEqual(await hand(), []);
    assert.deepEqual(await statesIn(knex), { sending: 1, cancelled: 2 });
  });

  it("leave out a double whose winner is to be forgotten", async () => {
    const winner = aLead();
    await writeEnds(knex, [{ lead: winner, stage: "email", state: "completed" }]);
    const [mail] = await writeSome(knex, 1);
    await merge(mail!, winner.leadId);
    await knex("leads").where({ lead_id: winner.leadId }).update({ state: "discarded" });
    assert.deepEqual(await hand(), []);
    assert.deepEqual(await statesIn(knex), { cancelled: 1 });
  });

  it("put off what its recipient would get by night, by the tenant's clock where there is none of his own", async () => {
    // Quiet is the hour that it is in Honolulu now, and that alone.
    const hour = Number(
      new Intl.DateTimeFormat("en-US", { hour: "numeric", hourCycle: "h23", timeZone: "Pacific/Honolulu" }).format(),
    );
    const quiet = { from: hour, to: (hour + 1) % 24 };
    await writeSome(knex, 1, { timeZone: "Pacific/Honolulu" });
    await writeSome(knex, 1, { tenant: "hawaiian" });
    await writeSome(knex, 1);
    await changeTenant(knex, "hawaiian", { timeZone: "Pacific/Honolulu" });
    for (let n = 0; n < 4; n++) await claimDue(knex, options({ quiet }));
    const rows = await knex("outbox").orderBy(["tenant", "time_zone"]);
    assert.deepEqual(
      rows.map(({ tenant, state }) => `${tenant} ${state}`),
      ["acme written", "acme claimed", "hawaiian written"],
    );
    for (const { due_at: due } of [rows[0], rows[2]]) {
      const waitMs = due.getTime() - Date.now();
      assert.ok(waitMs > 0 && waitMs <= 3_600_000 && due.getTime() % 3_600_000 < 1_000, `${due.toISOString()}`);
    }
  });

  it("keep a domain's pace over all tenants and holders", async () => {
    for (const tenant of ["acme", "other", "third"])
      await writeSome(knex, 10, { tenant, domain: "Big.example".toLowerCase() });
    let claimed = 0;
    for (let n = 0; n < 12; n++) claimed += (await claimDue(knex, options({ perMinute: 6 }))).claimed;
    assert.equal(claimed, 1);
    const moments = (await knex("outbox").where({ state: "written" }).orderBy("due_at").pluck("due_at")).map((at) =>
      at.getTime(),
    );
    assert.equal(moments.length, 29);
    for (const [n, at] of moments.slice(1).entries()) assert.ok(at - moments[n]! >= 9_990, `${at - moments[n]!} ms`);
  });

  it("take turns among tenants, whatever heap one of them has", async () => {
    await writeSome(knex, 400);
    await writeSome(knex, 3, { tenant: "small" });
    for (let n = 0; n < 2; n++) await claimDue(knex, options({ hands: 5 }));
    const [{ count }] = (await knex("outbox").where({ tenant: "small", state: "claimed" }).count()) as [
      { count: string },
    ];
    assert.equal(Number(count), 3);
  });

  it("find what is due by an index, whatever waits", async () => {
    await writeSome(knex, 50);
    await knex.raw("set enable_seqscan = off");
    const { rows } = await knex.raw(
      "explain select from outbox where tenant = 'acme' and state = 'written' and due_at <= now() order by due_at limit 200",
    );
    assert.match(rows.map((line: Record<string, string>) => line["QUERY PLAN"]).join("\n"), /_tenant_due_at_idx/);
  });
});

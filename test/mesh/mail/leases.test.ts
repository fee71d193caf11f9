import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { openDatabase } from "../../../mixins/knex.ts";
import { claimDue, markSending } from "../../../services/email/claims.sql.ts";
import { applyEvent } from "../../../services/email/events.sql.ts";
import { settleFates, settleUnknown } from "../../../services/email/fates.sql.ts";
import { releaseClaims, renewLeases, sweepLeases, takeBack } from "../../../services/email/leases.sql.ts";
import { overdueSeconds } from "../../../services/email/tenants.sql.ts";
import { eventually } from "../../support/eventually.ts";
import { claimOptions, handOver, statesIn, writeSome } from "../../support/mail.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

describe("e-mails that a sender has claimed", () => {
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
  const expire = () =>
    knex("outbox")
      .whereNotNull("lease_until")
      .update({ lease_until: knex.raw("now() - interval '1 s'") });
  const sent = { kind: "sent" } as const;
  const unreached = { kind: "unreached", reason: "nobody is there" } as const;
  const hand = () => handOver(knex);

  it("are of no use to a holder whose lease ran out: it learns so before it sends", async () => {
    await writeSome(knex, 3);
    const frozen = options();
    assert.deepEqual(await claimDue(knex, frozen), { claimed: 3, looked: true, tenant: "acme" });
    await expire();
    assert.deepEqual(await markSending(knex, frozen.holder, 60_000), []);
    assert.deepEqual(await sweepLeases(knex), { written: 3, unknown: 0 });
    await renewLeases(knex, [frozen.holder], 60_000);
    const other = options();
    await claimDue(knex, other);
    assert.equal((await markSending(knex, other.holder, 60_000)).length, 3);
    assert.deepEqual(await markSending(knex, frozen.holder, 60_000), []);
  });

  it("whose sender was never told that they are its own do not stay with it, however busy it is", async () => {
    await writeSome(knex, 2);
    const busy = options({ hands: 1 });
    const mark = async () => {
      await claimDue(knex, busy);
      return (await markSending(knex, busy.holder, 60_000))[0]!;
    };
    const [known, lost] = [await mark(), await mark()];
    // Between a look and the end of the lease.
    await knex.raw("update outbox set lease_until = now() + interval '200 ms'");
    await renewLeases(knex, [known.holder], 60_000);
    await eventually("the lease of the other one ends", async () => (await sweepLeases(knex)).unknown === 1);
    const rows = await knex("outbox").select("lead_id", "state").orderBy("state");
    assert.deepEqual(rows, [
      { lead_id: known.leadId, state: "sending" },
      { lead_id: lost.leadId, state: "unknown" },
    ]);
  });

  it("are taken back by a sender that was not told which are its own, also while that is being committed", async () => {
    await writeSome(knex, 3);
    const claim = options();
    await claimDue(knex, claim);
    const call = { tenant: "acme", claimer: claim.holder, holder: randomUUID() };
    const committing = await knex.transaction();
    assert.equal((await markSending(committing, call.claimer, 60_000, call.holder)).length, 3);
    const taken = takeBack(knex, call);
    await eventually("it waits for the commit", async () => {
      const { rows } = await knex.raw(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows.length > 0;
    });
    await committing.commit();
    await taken;
    const stands = async () =>
      (await knex("outbox").select("state", "attempts", "reason")).map((row) => Object.values(row).join(" "));
    assert.deepEqual(await stands(), Array(3).fill("written 0 "));
    assert.equal((await knex("mail_tenants").first()).taken, 0);

    // Its lease ended before it could take them back.
    await claimDue(knex, claim);
    await markSending(knex, call.claimer, 60_000, call.holder);
    await expire();
    assert.equal((await sweepLeases(knex)).unknown, 3);
    for (let n = 0; n < 2; n++) await takeBack(knex, call);
    assert.deepEqual(await stands(), Array(3).fill("written 0 "));

    // What another has by then is the other's.
    assert.equal((await hand()).length, 3);
    await takeBack(knex, call);
    assert.deepEqual(await stands(), Array(3).fill("sending 1 "));
    assert.equal((await knex("mail_tenants").first()).taken, 3);
  });

  it("whose sender fell silent are unknown; what it says late is heard, and a later try is not undone by it", async () => {
    await writeSome(knex, 2);
    const slow = options();
    await claimDue(knex, slow);
    const [first, second] = await markSending(knex, slow.holder, 60_000);
    await expire();
    assert.deepEqual(await sweepLeases(knex), { written: 0, unknown: 2 });
    assert.deepEqual(await claimDue(knex, options()), { claimed: 0, looked: false, tenant: undefined });
    await settleFates(knex, [{ mail: first!, fate: sent }]);
    assert.deepEqual(await statesIn(knex), { sent: 1, unknown: 1 });
    // An operator was wrong, and the e-mail is on its way again, but has not been handed over.
    assert.equal(await settleUnknown(knex, second!, "not_sent"), "settled");
    const other = options();
    await claimDue(knex, other);
    await settleFates(knex, [{ mail: second!, fate: sent }]);
    assert.deepEqual(await markSending(knex, other.holder, 60_000), []);
    assert.deepEqual(await statesIn(knex), { sent: 2 });
    await settleFates(knex, [{ mail: second!, fate: { kind: "unknown", reason: "late" } }]);
    assert.deepEqual(await statesIn(knex), { sent: 2 });
  });

  it("keep a try that has begun from the repeat of one that reached nobody and had its number", async () => {
    for (const fate of [unreached, { kind: "unpaid", until: Date.now(), reason: "held" } as const]) {
      await writeSome(knex, 1);
      const [first] = await hand();
      await settleFates(knex, [{ mail: first!, fate }]);
      const [second] = await hand();
      assert.deepEqual([second!.leadId, second!.attempt], [first!.leadId, first!.attempt]);
      // Its commit was never answered: it is told again.
      await settleFates(knex, [{ mail: first!, fate }]);
      assert.deepEqual(await hand(), []);
      await settleFates(knex, [{ mail: second!, fate: sent }]);
      assert.deepEqual(await statesIn(knex), { sent: 1 });
      await knex.raw("truncate outbox, mail_claims");
    }
  });

  it("that bounced softly are not taken for sent by a late word of that try, and their next try is heard", async () => {
    await writeSome(knex, 1);
    const [first] = await hand();
    const { leadId, campaign } = first!;
    const event = { id: randomUUID(), kind: "soft_bounce", at: Date.now(), leadId, attempt: 1 } as const;
    assert.equal(await applyEvent(knex, { ...event, reference: { tenant: "acme", campaign } }), "applied");
    await settleFates(knex, [{ mail: first!, fate: sent }]);
    assert.deepEqual(await statesIn(knex), { written: 1 });
    assert.equal((await knex("mail_days").first()).sent, 1);
    await knex("outbox").update({ due_at: knex.fn.now() });
    const [second] = await hand();
    assert.equal(second!.attempt, 2);
    await expire();
    await sweepLeases(knex);
    assert.equal(await settleUnknown(knex, second!, "not_sent"), "settled");
    await settleFates(knex, [{ mail: second!, fate: sent }]);
    assert.deepEqual(await statesIn(knex), { sent: 1 });
  });

  it("that are given back wait again, and do not count against the day", async () => {
    await writeSome(knex, 4);
    const holder = options();
    await claimDue(knex, holder);
    assert.equal((await knex("mail_tenants").first()).taken, 4);
    await releaseClaims(knex, holder.holder);
    assert.deepEqual(await statesIn(knex), { written: 4 });
    assert.equal((await knex("mail_tenants").first()).taken, 0);
  });

  it("that come back leave their place in the day to others, though their tenant rests till tomorrow", async () => {
    const ways: Record<string, (claimer: string) => Promise<unknown>> = {
      "their sender leaves": (claimer) => releaseClaims(knex, claimer),
      "their sender died": async () => {
        await expire();
        return sweepLeases(knex);
      },
      "nobody was reached": async (claimer) => {
        const mails = await markSending(knex, claimer, 60_000);
        await settleFates(
          knex,
          mails.map((mail) => ({ mail, fate: unreached })),
        );
      },
    };
    for (const [why, come] of Object.entries(ways)) {
      await knex.raw("truncate outbox, mail_claims, mail_tenants");
      await writeSome(knex, 5);
      await knex("outbox").update({ due_at: knex.raw("now() - interval '2 hours'") });
      const claim = options({ perDay: 3 });
      assert.equal((await claimDue(knex, claim)).claimed, 3, why);
      assert.equal((await claimDue(knex, claim)).claimed, 0, why);
      assert.notEqual((await knex("mail_tenants").first()).rests_until, null, why);
      await come(claim.holder);
      assert.equal((await knex("mail_tenants").first()).taken, 0, why);
      assert.ok((await overdueSeconds(knex)) < 60, `${why}: they could not go before`);
      assert.equal((await claimDue(knex, claim)).claimed, 3, why);
    }
    const yesterday = knex.raw("(now() at time zone 'UTC')::date - 1");
    await knex("mail_tenants").update({ day: yesterday });
    await expire();
    await sweepLeases(knex);
    assert.equal((await knex("mail_tenants").first()).taken, 3, "another day's count stays");
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { openDatabase, transaction } from "../../mixins/knex.ts";
import { readOutbox, type Wanted, writeMails } from "../../services/email/email.sql.ts";
import type { OutboxMail } from "../../services/email/mail-of.ts";
import { addressHash } from "../../services/email/recipient.ts";
import { begin } from "../../services/leads/erase.sql.ts";
import { insertLeads } from "../../services/leads/record.ts";
import { lift } from "../../services/leads/tombstones.sql.ts";
import { eventually } from "../support/eventually.ts";
import { aLead } from "../support/leads.ts";
import { type TestPlace, testPlace } from "../support/servers.ts";

const campaign = "first-contact";
const workerCount = 20;

const wanted = (email: string, given: Partial<Wanted> = {}): Wanted => ({
  tenant: "acme",
  leadId: randomUUID(),
  address: addressHash(email),
  ...given,
});
const mail = (to = "info@joes.example"): OutboxMail => ({
  ...{ to, subject: "Subject", html: "<p>HTML</p>", text: "Text" },
  ...{ domain: "joes.example", timeZone: null, sending: null },
});

describe("claims of e-mails", function () {
  this.timeout(60_000);
  let place: TestPlace;
  let knex: Knex;
  /** Each with one connection of its own, as workers on other machines have. */
  let workers: Knex[] = [];

  before(async () => {
    place = await testPlace();
    knex = openDatabase({ ...place.settings, databasePool: 4 });
    workers = Array.from({ length: workerCount }, () => openDatabase({ ...place.settings, databasePool: 1 }));
    // Connected before the race, so that it is one.
    await Promise.all(workers.map((worker) => worker.raw("select 1")));
  });
  after(async () => {
    await Promise.all([knex, ...workers].map((each) => each?.destroy()));
    await place?.[Symbol.asyncDispose]();
  });

  const write = (...list: Wanted[]) => writeMails(knex, campaign, list, () => mail());
  const claimsOf = (address: Buffer) => knex("mail_claims").where({ address }).orderBy(["tenant", "campaign"]);
  const mailsOf = (...leadIds: string[]) => knex("outbox").whereIn("lead_id", leadIds);
  const suppress = (email: string, tenant = "acme") =>
    knex("suppressions").insert({ tenant, address: addressHash(email), reason: "unsubscribed" });

  for (let round = 1; round <= 3; round++) {
    it(`end as one claim and one e-mail when ${workerCount} workers want the same address at once (round ${round})`, async () => {
      const leads = workers.map(() => wanted(`race-${round}@joes.example`));
      const answers = await Promise.all(
        workers.map((worker, n) => writeMails(worker, campaign, [leads[n]!], () => mail(`lead-${n}@joes.example`))),
      );
      assert.deepEqual(answers.flat().toSorted(), [...Array(workerCount - 1).fill("taken"), "written"]);
      const winner = leads[answers.flat().indexOf("written")]!;
      const claims = await claimsOf(winner.address);
      assert.deepEqual(
        claims.map(({ lead_id }) => lead_id),
        [winner.leadId],
      );
      const mails = await mailsOf(...leads.map(({ leadId }) => leadId));
      assert.deepEqual(
        mails.map(({ lead_id }) => lead_id),
        [winner.leadId],
      );
    });
  }

  it("end as one e-mail when the same lead is in hand in many places at once", async () => {
    const lead = wanted("everywhere@joes.example");
    const answers = await Promise.all(workers.map((worker) => writeMails(worker, campaign, [lead], () => mail())));
    assert.deepEqual(new Set(answers.flat()), new Set(["written"]));
    assert.equal((await claimsOf(lead.address)).length, 1);
    assert.equal((await mailsOf(lead.leadId)).length, 1);
  });

  it("do not deadlock when batches want the same addresses in different order", async () => {
    const addresses = Array.from({ length: 60 }, (_, n) => `cross-${n}@joes.example`);
    const batches = workers.map((_, n) => {
      const turned = [...addresses.slice(n * 3), ...addresses.slice(0, n * 3)];
      return (n % 2 === 0 ? turned : turned.toReversed()).map((email) => wanted(email));
    });
    const answers = await Promise.all(
      workers.map((worker, n) => writeMails(worker, campaign, batches[n]!, () => mail())),
    );
    assert.equal(answers.flat().filter((answer) => answer === "written").length, addresses.length);
    const claims = await knex("mail_claims").whereIn("address", addresses.map(addressHash));
    const mails = await mailsOf(...batches.flat().map(({ leadId }) => leadId));
    assert.equal(claims.length, addresses.length);
    assert.deepEqual(mails.map(({ lead_id }) => lead_id).toSorted(), claims.map(({ lead_id }) => lead_id).toSorted());
  });

  it("give the address to the first of a batch, and answer in the order asked", async () => {
    const [a, b, c] = [wanted("twice@joes.example"), wanted("other@joes.example"), wanted("Twice@Joes.example")];
    assert.deepEqual(await write(a, b, c), ["written", "written", "taken"]);
    assert.equal((await mailsOf(a.leadId, c.leadId)).length, 1);
  });

  it("are kept by the lead that has them, and change nothing when it comes again", async () => {
    const lead = wanted("again@joes.example");
    assert.deepEqual(await write(lead), ["written"]);
    const before = await knex.raw("select xmin::text, * from outbox where lead_id = ?", [lead.leadId]);
    assert.deepEqual(await writeMails(knex, campaign, [lead], () => assert.fail("rendered again")), ["written"]);
    const after = await knex.raw("select xmin::text, * from outbox where lead_id = ?", [lead.leadId]);
    assert.deepEqual(after.rows, before.rows);
    assert.deepEqual(await write(wanted("again@joes.example")), ["taken"]);
  });

  it("are followed by the e-mail that is missing when the same lead comes again", async () => {
    const lead = wanted("half@joes.example");
    await knex("mail_claims").insert({ tenant: "acme", campaign, address: lead.address, lead_id: lead.leadId });
    assert.deepEqual(await write(lead), ["written"]);
    assert.deepEqual(await write(lead), ["written"]);
    assert.equal((await mailsOf(lead.leadId)).length, 1);
  });

  it("do not stay when the e-mail cannot be written", async () => {
    const lead = wanted("broken@joes.example");
    const broken = writeMails(knex, campaign, [lead], () => {
      throw new Error("cannot be rendered");
    });
    await assert.rejects(broken, /cannot be rendered/);
    assert.deepEqual(await claimsOf(lead.address), []);
    assert.deepEqual(await write(lead), ["written"]);
  });

  it("are looked at a second time only where they were not made just now", async () => {
    let looks = 0;
    const note = ({ sql }: { sql: string }) => {
      if (sql.includes("as claimant")) looks++;
    };
    knex.on("query", note);
    try {
      // On a machine that stands still for a moment, so does the claim.
      await eventually("claims are made, and not looked at", async () => {
        looks = 0;
        const fresh = [1, 2].map(() => wanted(`${randomUUID()}@joes.example`));
        assert.deepEqual(await write(...fresh), ["written", "written"]);
        return looks === 0;
      });
      const known = wanted("known@joes.example");
      await write(known);
      looks = 0;
      const others = [wanted("new@joes.example"), known, wanted("known@joes.example"), wanted("next@joes.example")];
      assert.deepEqual(await write(...others), ["written", "written", "taken", "written"]);
      assert.equal(looks, 1);
    } finally {
      knex.removeListener("query", note);
    }
  });

  it("are looked at again when they have waited for another transaction, which came to nothing", async () => {
    const lead = wanted("waited@joes.example");
    const other = await knex.transaction();
    await other("mail_claims").insert({ tenant: "acme", campaign, address: lead.address, lead_id: randomUUID() });
    const answers = write(lead);
    await eventually("it has waited for long", async () => {
      const { rows } = await knex.raw(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
           and query like '%into mail_claims%' and now() - query_start > interval '200 ms'`,
      );
      return rows.length > 0;
    });
    await suppress("waited@joes.example");
    await other.rollback();
    assert.deepEqual(await answers, ["suppressed"]);
    assert.deepEqual(await mailsOf(lead.leadId), []);
  });

  it("are refused to an address that wants no e-mail, however it is spelled", async () => {
    await suppress("stop@joes.example");
    const lead = wanted("Stop@Joes.Example");
    assert.deepEqual(await write(lead), ["suppressed"]);
    assert.deepEqual(await claimsOf(lead.address), []);
    assert.deepEqual(await mailsOf(lead.leadId), []);
  });

  it("write nothing when the address was suppressed after the claim and before the e-mail", async () => {
    const lead = wanted("late-stop@joes.example");
    await knex("mail_claims").insert({ tenant: "acme", campaign, address: lead.address, lead_id: lead.leadId });
    await suppress("late-stop@joes.example");
    assert.deepEqual(await write(lead), ["suppressed"]);
    assert.deepEqual(await mailsOf(lead.leadId), []);
  });

  it("still say written of an e-mail that was written before its address was suppressed", async () => {
    const lead = wanted("then-stop@joes.example");
    assert.deepEqual(await write(lead), ["written"]);
    await suppress("then-stop@joes.example");
    assert.deepEqual(await write(lead), ["written"]);
  });

  it("are one a tenant and one a campaign", async () => {
    await suppress("shared@joes.example", "third");
    const [ours, theirs, third] = ["acme", "other", "third"].map((tenant) =>
      wanted("shared@joes.example", { tenant }),
    ) as [Wanted, Wanted, Wanted];
    assert.deepEqual(await write(ours, theirs, third), ["written", "written", "suppressed"]);
    assert.deepEqual(await writeMails(knex, "second-contact", [ours], () => mail()), ["written"]);
    assert.equal((await mailsOf(ours.leadId)).length, 2);
  });

  it("are not made for a second address of a lead that was written to", async () => {
    const lead = wanted("first@joes.example");
    assert.deepEqual(await write(lead), ["written"]);
    const moved = { ...lead, address: addressHash("second@joes.example") };
    assert.deepEqual(await write(moved), ["written"]);
    assert.equal((await mailsOf(lead.leadId)).length, 1);
    assert.deepEqual(await write(wanted("second@joes.example")), ["written"]);
  });

  it("take nothing of nothing", async () => {
    assert.deepEqual(await writeMails(knex, campaign, [], () => mail()), []);
  });

  it("are kept without the address itself", async () => {
    const lead = wanted("hidden@joes.example");
    await write(lead);
    const [{ text }] = (await knex.raw("select c::text as text from mail_claims c where address = ?", [lead.address]))
      .rows;
    assert.doesNotMatch(text, /hidden/);
  });

  describe("the outbox", () => {
    it("is read by the index, newest first", async () => {
      const rows = await knex.transaction<Record<string, string>[]>(async (trx) => {
        await trx.raw("set local enable_seqscan = off");
        const explained = await trx.raw(
          "explain select * from outbox where tenant = 'acme' and (written_at, lead_id) < (now(), ?) order by written_at desc, lead_id desc limit 50",
          [randomUUID()],
        );
        return explained.rows;
      });
      const plan = rows.map((line) => line["QUERY PLAN"]).join("\n");
      assert.match(plan, /Merge Append/);
      assert.match(plan, /Index Cond: .*written_at.* < /);
    });

    it("gives every e-mail once over its pages, also those of one moment, and no other tenant's", async () => {
      const tenant = "pages";
      const list = Array.from({ length: 23 }, (_, n) => wanted(`page-${n}@joes.example`, { tenant }));
      // One transaction, one moment; and two more moments.
      await writeMails(knex, campaign, list.slice(0, 15), () => mail());
      await writeMails(knex, campaign, list.slice(15, 20), () => mail());
      await writeMails(knex, campaign, list.slice(20), () => mail());
      await write(wanted("page-stranger@joes.example"));
      const seen: string[] = [];
      const times: number[] = [];
      let key: Awaited<ReturnType<typeof readOutbox>>[number]["key"] | undefined;
      for (;;) {
        const page = await readOutbox(knex, { tenant, limit: 4, ...(key && { key }) });
        seen.push(...page.map(({ item }) => item.leadId));
        times.push(...page.map(({ item }) => item.writtenAt));
        if (page.length < 4) break;
        key = page.at(-1)!.key;
      }
      assert.deepEqual(seen.toSorted(), list.map(({ leadId }) => leadId).toSorted());
      assert.deepEqual(
        times,
        times.toSorted((a, b) => b - a),
      );
      assert.equal((await readOutbox(knex, { tenant, state: "written", limit: 100 })).length, 23);
      assert.equal((await readOutbox(knex, { tenant, state: "sent", limit: 100 })).length, 0);
    });
  });

  it("leave out a lead that was found to be a double on its way here, and a winner whose double has its e-mail", async () => {
    const [double, winner] = [wanted("double@joes.example"), wanted("winner@joes.example")];
    const trx = await knex.transaction();
    await insertLeads(
      trx,
      "dedupe",
      [double, winner].map(({ leadId }) => aLead({ leadId })),
    );
    await trx.commit();
    const merge = async () => {
      await knex("leads").where({ lead_id: double.leadId }).update({ state: "merged", merged_into: winner.leadId });
      const merged = { tenant: "acme", winner: winner.leadId, loser: double.leadId };
      await knex("merges").insert({ ...merged, evidence: "{}", loser_before: "{}" });
    };

    await merge();
    assert.deepEqual(await write(double), ["merged"]);
    assert.equal((await mailsOf(double.leadId)).length, 0);

    await knex("leads").where({ lead_id: double.leadId }).update({ state: "in_progress", merged_into: null });
    assert.deepEqual(await write(double), ["written"]);
    await merge();
    assert.deepEqual(await write(winner), ["taken"]);
    assert.equal((await mailsOf(winner.leadId)).length, 0);
  });

  it("are written anew for a lead that comes back when its erasure is lifted, also at another address", async () => {
    const lead = aLead({ fields: { name: "Joe's", email: "back@joes.example" } });
    const { tenant, leadId } = lead;
    for (const email of ["back@joes.example", "moved@joes.example"]) {
      const told = { ...lead, revision: Date.now() + 60_000 };
      await transaction(knex, (trx) => insertLeads(trx, "dedupe", [told]));
      const [first, other] = [wanted(email, { leadId }), wanted(`other-${email}`)];
      assert.deepEqual(await write(first, other), ["written", "written"]);
      const [row] = await mailsOf(leadId);
      assert.deepEqual([row.state, row.recipient, row.address], ["written", "info@joes.example", first.address]);
      const erasureId = randomUUID();
      await transaction(knex, (trx) => begin(trx, { tenant, leadId, erasureId, leaseMs: 1_000, known: false }));
      assert.deepEqual(await write(first), ["merged"]);
      await knex("erasures").update({ finished_at: knex.fn.now() });
      await transaction(knex, (trx) => lift(trx, tenant, erasureId));
      await knex("leads").where({ lead_id: leadId }).update({ revision: 0 });
    }
    // One that was handed over is not.
    await transaction(knex, (trx) => insertLeads(trx, "dedupe", [{ ...lead, revision: Date.now() + 120_000 }]));
    await knex("outbox").where({ lead_id: leadId }).update({ attempts: 1 });
    assert.deepEqual(await write(wanted("moved@joes.example", { leadId })), ["written"]);
    assert.equal((await mailsOf(leadId))[0].state, "cancelled");
  });
});

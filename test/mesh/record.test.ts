import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { createDatabase, dropDatabase } from "../../bin/stack/postgres.ts";
import { Databases, openDatabase, transaction } from "../../mixins/knex.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { migrate, pendingMigrations } from "../../services/leads/migrations/migrate.ts";
import { type Checkpoint, insertLeads, writeDead, writeEnds } from "../../services/leads/record.ts";
import { rowOfDead } from "../../services/leads/row.ts";
import { aLead, passed } from "../support/leads.ts";
import { servers, type TestPlace, testPlace } from "../support/servers.ts";

describe("the record", function () {
  this.timeout(60_000);
  let place: TestPlace;
  let databases: Databases;
  let knex: Knex;
  before(async () => {
    place = await testPlace({ LEADS_DATABASE_POOL: "24" });
    databases = new Databases(place.settings);
    knex = databases.of("acme");
  });
  after(async () => {
    await databases?.close();
    await place?.[Symbol.asyncDispose]();
  });

  const arrive = (...leads: Lead[]) => transaction(knex, (trx) => insertLeads(trx, "dedupe", leads));
  const end = (lead: Lead, stage = "email", given: Partial<Checkpoint> = {}) =>
    writeEnds(knex, [{ lead: passed(lead, stage), stage, state: "completed", reason: "written", ...given }]);
  const die = (lead: Lead, stage = "score", reason = "TypeError") => writeDead(knex, [rowOfDead(lead, stage, reason)!]);
  const row = (lead: Lead) => knex("leads").where({ lead_id: lead.leadId, tenant: lead.tenant }).first();
  const stateOf = async (lead: Lead) => (await row(lead))?.state;
  /** Every column, and the row's version: equal twice means that nothing was written between. */
  const snapshot = async (lead: Lead) =>
    (await knex.raw("select xmin::text, leads.* from leads where lead_id = ?", [lead.leadId])).rows;

  describe("arrivals", () => {
    it("puts new leads on record and says of each what it did, in the order given", async () => {
      const [a, b] = [aLead(), aLead({ tenant: "other" })];
      await arrive(a);
      const answers = await arrive(b, a);
      assert.deepEqual(
        answers.map(({ leadId, tenant, change, state, mergedInto }) => ({ leadId, tenant, change, state, mergedInto })),
        [
          { leadId: b.leadId, tenant: "other", change: "new", state: "in_progress", mergedInto: null },
          { leadId: a.leadId, tenant: "acme", change: "unchanged", state: "in_progress", mergedInto: null },
        ],
      );
      const written = await row(a);
      assert.equal(written.name, a.fields.name);
      assert.equal(written.accepted_at.getTime(), a.revision);
    });

    it("has its locks of tables without the store that all connections share", async () => {
      const { rows } = await transaction(knex, async (trx) => {
        await insertLeads(
          trx,
          "dedupe",
          Array.from({ length: 100 }, () => aLead()),
        );
        return trx.raw(
          `select count(*)::int as taken, count(*) filter (where not fastpath)::int as shared
           from pg_locks where pid = pg_backend_pid() and locktype = 'relation'`,
        );
      });
      const [{ taken, shared }] = rows;
      assert.ok(taken > 64 && shared < taken / 10, `${shared} of ${taken}`);
    });

    it("puts a lead's keys on record with it, of a later telling those that are new, and of a repeat none", async () => {
      const lead = aLead();
      const tell = (revision: number, ...keys: string[]) =>
        transaction(knex, (trx) => insertLeads(trx, "dedupe", [{ ...lead, revision }], () => keys));
      const keys = () => knex("lead_keys").where({ lead_id: lead.leadId }).orderBy("key").pluck("key");
      for (let n = 0; n < 2; n++) {
        await tell(lead.revision, "-9", "5");
        assert.deepEqual(await keys(), ["-9", "5"]);
      }
      await tell(lead.revision + 1, "5", "70");
      await tell(lead.revision, "8");
      assert.deepEqual(await keys(), ["-9", "5", "70"]);
    });

    it("takes a later telling, re-opens a completed lead with it, and keeps the first acceptance", async () => {
      const lead = aLead();
      await arrive(lead);
      await end(lead);
      assert.equal(await stateOf(lead), "completed");
      const again = { ...lead, revision: lead.revision + 5, fields: { name: "New name", email: "a@b.example" } };
      const [answer] = await arrive(again);
      assert.equal(answer?.change, "updated");
      const written = await row(lead);
      assert.deepEqual(
        [written.state, written.reason, written.name, written.phone, written.email, Number(written.revision)],
        ["in_progress", null, "New name", null, "a@b.example", again.revision],
      );
      assert.equal(written.accepted_at.getTime(), lead.revision);
    });

    it("is changed by no repeat and by no earlier telling", async () => {
      const lead = passed(aLead(), "enrich");
      await arrive(lead);
      const before = await snapshot(lead);
      const earlier = { ...lead, revision: lead.revision - 1, fields: { name: "Old name" } };
      for (const [answer] of [await arrive(lead), await arrive(earlier), await arrive({ ...lead, timeline: [] })])
        assert.equal(answer?.change, "unchanged");
      assert.deepEqual(await snapshot(lead), before);
    });

    it("answers every copy of a lead that a batch holds twice, and writes the latest", async () => {
      const lead = aLead();
      const later = { ...lead, revision: lead.revision + 1, fields: { name: "Later" } };
      const answers = await arrive(later, lead);
      assert.deepEqual(
        answers.map((a) => a.change),
        ["new", "new"],
      );
      assert.equal((await row(lead)).name, "Later");
    });

    it("leaves merged and discarded leads as they are, but brings a merged one's fields up to date", async () => {
      const winner = randomUUID();
      for (const state of ["merged", "discarded"]) {
        const lead = aLead();
        await arrive(lead);
        await knex("leads")
          .where({ lead_id: lead.leadId })
          .update({ state, merged_into: state === "merged" ? winner : null });
        if (state === "erased")
          await knex("tombstones").insert({ tenant: lead.tenant, mark: lead.leadId, erasure_id: randomUUID() });
        const [answer] = await arrive({ ...lead, revision: lead.revision + 1, fields: { name: "New name" } });
        assert.equal(answer?.state, state);
        assert.equal(answer?.mergedInto, state === "merged" ? winner : null);
        assert.equal((await row(lead)).name, state === "merged" ? "New name" : lead.fields.name);
      }
      await knex("tombstones").delete();
    });

    it("takes an erased lead in again once its tombstones are lifted, by a later telling alone", async () => {
      const lead = aLead();
      await arrive(lead);
      await knex("leads").where({ lead_id: lead.leadId }).update({ state: "erased", name: "", fields: "{}" });
      assert.equal((await arrive(lead))[0]?.state, "erased", "a late message is no later telling");
      const [answer] = await arrive({ ...lead, revision: lead.revision + 1 });
      assert.deepEqual([answer?.state, (await row(lead)).name], ["in_progress", lead.fields.name]);
    });

    it("hands over what a row had taken from merged leads when a later telling overwrites it", async () => {
      const lead = aLead();
      await arrive(lead);
      const provenance = { email: { trust: 70, source: "yelp" } };
      await knex("leads")
        .where({ lead_id: lead.leadId })
        .update({ provenance: JSON.stringify(provenance) });
      const [answer] = await arrive({ ...lead, revision: lead.revision + 1 });
      assert.deepEqual(answer?.before, { fields: lead.fields, provenance });
    });

    it("takes text that PostgreSQL refuses without losing the batch", async () => {
      const leads = [aLead(), aLead({ facts: { site: { status: "ok", title: "a\u0000b \ud800 c" } } }), aLead()];
      assert.deepEqual(
        (await arrive(...leads)).map((a) => a.change),
        ["new", "new", "new"],
      );
      assert.equal((await row(leads[1]!)).facts.site.title, "ab \ufffd c");
    });
  });

  describe("ends", () => {
    it("completes, rejects and merges, and leaves who the lead is to the arrival", async () => {
      const lead = aLead();
      await arrive(lead);
      await end({ ...lead, fields: { name: "Stale name" }, score: { value: 70, version: "v", fired: [] } });
      const written = await row(lead);
      assert.deepEqual(
        [written.state, written.reason, written.stage, written.score],
        ["completed", "written", "email", 70],
      );
      assert.equal(written.name, lead.fields.name);
      assert.equal(written.timeline.length, 1);

      const [rejected, merged, winner] = [aLead(), aLead(), aLead()];
      await end(rejected, "enrich", { state: "rejected", reason: "no_business" });
      await end(merged, "dedupe", { state: "merged", into: winner.leadId });
      assert.deepEqual([(await row(rejected)).state, (await row(rejected)).name], ["rejected", rejected.fields.name]);
      assert.deepEqual([(await row(merged)).state, (await row(merged)).merged_into], ["merged", winner.leadId]);
    });

    it("changes nothing when told again, or late", async () => {
      const lead = aLead();
      await arrive(lead);
      await end(passed(lead, "enrich", "dedupe", "score"));
      const before = await snapshot(lead);
      await end(passed(lead, "enrich", "dedupe", "score"));
      await end(passed(lead, "enrich"), "score", { reason: "below_threshold" });
      await arrive(passed(lead, "enrich"));
      assert.deepEqual(await snapshot(lead), before);
    });

    it("keeps a later telling in progress when the end of an earlier one comes", async () => {
      const lead = aLead();
      const later = { ...lead, revision: lead.revision + 1 };
      await arrive(lead);
      await arrive(later);
      await end(passed(lead, "enrich", "dedupe"));
      assert.equal(await stateOf(lead), "in_progress");
      await end(later);
      assert.equal(await stateOf(lead), "completed");
    });

    it("keeps a lead merged whose copy in flight completes, and notes how far that went", async () => {
      const [lead, winner] = [aLead(), aLead()];
      await arrive(lead);
      await knex("leads").where({ lead_id: lead.leadId }).update({ state: "merged", merged_into: winner.leadId });
      await end(passed(lead, "enrich", "dedupe"));
      const written = await row(lead);
      assert.deepEqual([written.state, written.merged_into, written.reason], ["merged", winner.leadId, null]);
      assert.equal(written.timeline.length, 3);
    });
  });

  describe("dead letters", () => {
    it("marks a lead dead, and puts one on record that never got there", async () => {
      const [known, unknown] = [aLead(), aLead()];
      await arrive(known);
      await die(known);
      await die(unknown, "enrich", "ENVELOPE");
      assert.deepEqual([(await row(known)).state, (await row(known)).reason], ["dead", "TypeError"]);
      assert.deepEqual([(await row(unknown)).state, (await row(unknown)).stage], ["dead", "enrich"]);
    });

    it("becomes completed after a redrive, and a dead letter that is told again then changes nothing", async () => {
      const lead = aLead();
      const atScore = passed(lead, "enrich", "dedupe");
      await arrive(lead);
      await die(atScore);
      await end(atScore, "score", { reason: "below_threshold" });
      const before = await snapshot(lead);
      await die(atScore);
      await die({ ...atScore, revision: lead.revision - 1 });
      assert.deepEqual(await snapshot(lead), before);
      assert.equal(before[0].state, "completed");
    });

    it("is in progress again when it was redriven through its arrival, at the very step where it died", async () => {
      const lead = passed(aLead(), "enrich");
      await die(lead, "dedupe");
      const [answer] = await arrive(lead);
      assert.deepEqual([answer?.change, answer?.state], ["updated", "in_progress"]);
    });

    it("marks a completed lead dead whose later telling died", async () => {
      const lead = aLead();
      await arrive(lead);
      await end(lead);
      await die({ ...lead, revision: lead.revision + 1 }, "enrich");
      assert.equal(await stateOf(lead), "dead");
      await end({ ...lead, revision: lead.revision + 1 });
      assert.equal(await stateOf(lead), "completed");
    });

    it("never takes back a merge, a discard or an erasure", async () => {
      for (const state of ["merged", "discarded"]) {
        const lead = aLead();
        await arrive(lead);
        await knex("leads").where({ lead_id: lead.leadId }).update({ state });
        await die({ ...lead, revision: lead.revision + 1 });
        await end({ ...lead, revision: lead.revision + 2 });
        assert.equal(await stateOf(lead), state);
      }
    });
  });

  it("ends the same whatever order twenty writers tell the same leads in", async () => {
    const leads = Array.from({ length: 60 }, () => aLead());
    const tellings = leads.flatMap((lead) =>
      [0, 1, 2].map((n) => ({
        ...lead,
        revision: lead.revision + n,
        fields: { ...lead.fields, name: `telling ${n}` },
      })),
    );
    const shuffled = () =>
      tellings
        .map((t) => ({ t, at: Math.random() }))
        .sort((a, b) => a.at - b.at)
        .map(({ t }) => t);
    const writer = async (n: number) => {
      for (const lead of chunked(shuffled(), 30)) {
        if (n % 3 === 0)
          await writeEnds(
            knex,
            lead.map((l) => ({
              lead: passed(l, "dedupe", "email"),
              stage: "email",
              state: "completed",
              reason: "written",
            })),
          );
        else if (n % 3 === 1) await arrive(...lead);
        else
          await writeDead(
            knex,
            lead.map((l) => rowOfDead(l, "score", "TypeError")!),
          );
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, n) => writer(n)));
    const rows = await knex("leads").whereIn(
      "lead_id",
      leads.map((l) => l.leadId),
    );
    assert.equal(rows.length, leads.length);
    for (const r of rows)
      assert.deepEqual([r.state, Number(r.revision), r.step], ["completed", leads[0]!.revision + 2, 2]);
  });

  it("locks the rows it answers for until the caller's transaction ends, unchanged ones too", async () => {
    const lead = aLead();
    await arrive(lead);
    let second: Promise<unknown> | undefined;
    const order: string[] = [];
    await transaction(knex, async (trx) => {
      await insertLeads(trx, "dedupe", [lead]);
      const waiting = eventuallyWaits(knex);
      second = arrive({ ...lead, revision: lead.revision + 1 }).then(() => order.push("second"));
      await waiting;
      order.push("first");
    });
    await second;
    assert.deepEqual(order, ["first", "second"]);
  });
});

describe("the migrations", function () {
  this.timeout(60_000);
  const name = `m${randomUUID().slice(0, 8)}`;
  let adminUrl: string;
  let clients: Knex[];
  beforeEach(async () => {
    adminUrl = (await servers()).databaseUrl;
    const databaseUrl = await createDatabase(adminUrl, name);
    clients = Array.from({ length: 8 }, () =>
      openDatabase({ databaseUrl, databasePool: 1, statementTimeoutMs: 60_000 }),
    );
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.destroy()));
    await dropDatabase(adminUrl, name);
  });
  const lockRows = () => clients[0]!("knex_migrations_lock").pluck("is_locked");

  for (let round = 1; round <= 3; round++)
    it(`run once when eight processes start at once over an empty database (${round})`, async () => {
      const ran = await Promise.all(clients.map((client) => migrate(client)));
      assert.equal(ran.filter((names) => names.length > 0).length, 1);
      assert.deepEqual(await pendingMigrations(clients[0]!), []);
      assert.deepEqual(await lockRows(), [0]);
    });

  it("find their lock again where two that ran at once had left two", async () => {
    const [knex] = clients as [Knex];
    await migrate(knex);
    await knex("knex_migrations_lock").insert({ is_locked: 0 });
    assert.deepEqual(await migrate(knex), []);
    assert.deepEqual(await lockRows(), [0]);
  });
});

function chunked<T>(things: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(things.length / size) }, (_, n) => things.slice(n * size, (n + 1) * size));
}

/** Resolves as soon as some session of this database waits for a lock. */
async function eventuallyWaits(knex: Knex): Promise<void> {
  const { eventually } = await import("../support/eventually.ts");
  await eventually("a session waits for a lock", async () => {
    const { rows } = await knex.raw(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  });
}

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Knex } from "knex";

import { pipeline } from "../../config/pipeline.ts";
import { environmentOf } from "../../config/settings.ts";
import { foreignLetter } from "../../mixins/actor/dead-letter.ts";
import { pack } from "../../mixins/actor/envelope.ts";
import { ensureStreams, jsApi } from "../../mixins/jetstream.ts";
import { transaction } from "../../mixins/knex.ts";
import { type Audit, audit } from "../../services/leads/audit.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { insertLeads, writeEnds } from "../../services/leads/record.ts";
import { aLead, passed } from "../support/leads.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { acceptBulk, acceptLive, origin } from "../support/stages.ts";

const none = { completed: 0, merged: 0, rejected: 0, dead: 0, discarded: 0, erased: 0, inFlight: 0 };

/** What a caller of the audit has at hand in every test. */
interface Place {
  mesh: TestMesh;
  knex: Knex;
  look(options?: { tenant?: string; accepted?: { leadId: string; tenant?: string }[] }): Promise<Audit>;
  /** Puts a lead into a stage's mailbox, as the stage before would. */
  post(lead: Lead, stageName: string): Promise<{ stream: string; seq: number }>;
  bury(lead: Lead, stageName: string): Promise<{ stream: string; seq: number }>;
  accept(...leads: Lead[]): Promise<void>;
  arrive(...leads: Lead[]): Promise<unknown>;
  remove(message: { stream: string; seq: number }): Promise<void>;
}

async function place(mesh: TestMesh): Promise<Place> {
  const { nats, names, settings } = mesh;
  await ensureStreams(nats, names, settings, pipeline);
  const knex = mesh.resources.databases.of("acme");
  const js = nats.jetstream();
  const route = (lead: Lead) => ({ ...origin(lead.tenant), lane: "live" as const });
  return {
    mesh,
    knex,
    look: (options = {}) => audit({ nats, names, settings, ...options }),
    async post(lead, stageName) {
      const [envelope] = pack(route(lead), [{ lead }]);
      return js.publish(names.mailbox(stageName).subject("live"), envelope!.data, { headers: envelope!.headers });
    },
    async bury(lead, stageName) {
      const letter = {
        v: 1,
        lead,
        stage: stageName,
        error: { type: "TypeError", message: "m" },
        attempts: 1,
        firstAt: 1,
        lastAt: 1,
      };
      return js.publish(names.dead.subject(stageName, lead.tenant), JSON.stringify(letter));
    },
    async accept(...leads) {
      for (const lead of leads) await js.publish(names.accepted.one(lead.tenant, lead.leadId));
    },
    arrive: (...leads) => transaction(knex, (trx) => insertLeads(trx, "dedupe", leads)),
    async remove({ stream, seq }) {
      await jsApi(nats, `STREAM.MSG.DELETE.${stream}`, { seq });
    },
  };
}

const end = (knex: Knex, ...leads: Lead[]) =>
  writeEnds(
    knex,
    leads.map((lead) => ({ lead: passed(lead, "email"), stage: "email", state: "completed", reason: "written" })),
  );

describe("the audit", function () {
  this.timeout(60_000);

  describe("over a mesh that stands still", () => {
    let at: Place;
    // No recorder runs: what is in the streams stays there.
    beforeEach(async () => {
      at = await place(await startMesh({ services: [] }));
    });
    afterEach(() => at.mesh[Symbol.asyncDispose]());

    it("counts nothing where there is nothing", async () => {
      assert.deepEqual(await at.look(), { accepted: 0, ...none, ok: true, broken: [], tenants: {} });
    });

    it("counts the leads of a message that nobody could read as dead, and no id that nobody accepted", async () => {
      const { nats, names } = at.mesh;
      const [queued, onRecord, stranger, elsewhere] = [aLead(), aLead(), aLead(), aLead({ tenant: "other" })];
      // The message was one that had been passed on all the same.
      const ended = aLead();
      await at.accept(queued, onRecord, ended, elsewhere);
      await at.arrive(onRecord, ended);
      await end(at.knex, ended);
      await at.post(elsewhere, "score");
      const items = [queued, onRecord, ended, stranger, elsewhere].map((lead) => ({ lead }));
      const [envelope] = pack({ ...origin("acme"), lane: "bulk" }, items);
      const from = { stream: "s", seq: 1 };
      const letter = foreignLetter("score", from, new Error("cut off"), envelope!.data.subarray(0, -3), Date.now());
      const subject = names.dead.subject("score", names.dead.nobody);
      const message = await nats.jetstream().publish(subject, JSON.stringify(letter));
      const acme = { accepted: 3, ...none, completed: 1, dead: 2, ok: true, broken: [] };
      const { tenants, ok } = await at.look();
      assert.deepEqual([ok, tenants["acme"]], [true, acme]);
      assert.deepEqual(tenants["other"], { accepted: 1, ...none, inFlight: 1, ok: true, broken: [] });
      assert.deepEqual((await at.look({ tenant: "acme" })).tenants, { acme });
      await at.remove(message);
      assert.deepEqual((await at.look({ tenant: "acme" })).broken.sort(), [queued.leadId, onRecord.leadId].sort());
    });

    it("counts each lead once, in the term where it stands, in all and by tenant", async () => {
      const { knex } = at;
      const leads = Array.from({ length: 9 }, () => aLead());
      const [queued, working, completed, merged, rejected, dead, unmarked, discarded, erased] = leads as [
        Lead,
        ...Lead[],
      ];
      const other = aLead({ tenant: "other" });
      await at.accept(...leads, other);
      await at.post(queued!, "enrich");
      await at.arrive(working!, completed!, merged!, rejected!, dead!, unmarked!, discarded!, erased!, other);
      await at.post(working!, "score");
      await at.post(other, "email");
      // A second copy of one that is counted already.
      await at.post(completed!, "score");
      await end(knex, completed!);
      for (const [lead, state] of [
        [merged, "merged"],
        [rejected, "rejected"],
        [dead, "dead"],
        [discarded, "discarded"],
        [erased, "erased"],
      ] as const)
        await knex("leads").where({ lead_id: lead!.leadId }).update({ state });
      await at.bury(dead!, "score");
      await at.bury(unmarked!, "score");
      const acme = {
        accepted: 9,
        completed: 1,
        merged: 1,
        rejected: 1,
        dead: 2,
        discarded: 1,
        erased: 1,
        inFlight: 2,
        ok: true,
        broken: [],
      };
      const others = { ...none, accepted: 1, inFlight: 1, ok: true, broken: [] };
      assert.deepEqual(await at.look(), { ...acme, accepted: 10, inFlight: 3, tenants: { acme, other: others } });
      assert.deepEqual(await at.look({ tenant: "other" }), { ...others, tenants: { other: others } });
    });

    it("finds what is in the intake, parked and due, and of work items says nothing", async () => {
      const { nats, names } = at.mesh;
      const [intake, parked, due, work] = [aLead(), aLead(), aLead(), aLead()];
      await acceptBulk(at.mesh, [intake]);
      await at.accept(parked, due);
      const js = nats.jetstream();
      const [later] = pack({ ...origin(), lane: "live" }, [{ lead: parked }]);
      later!.headers.set("Nats-Schedule", `@at ${new Date(Date.now() + 3_600_000).toISOString()}`);
      later!.headers.set("Nats-Schedule-Target", names.park.due("score", "live"));
      await js.publish(names.park.schedule("score", "live", "x"), later!.data, { headers: later!.headers });
      const [now] = pack({ ...origin(), lane: "live" }, [{ lead: due }]);
      await js.publish(names.park.due("score", "live"), now!.data, { headers: now!.headers });
      const [item] = pack({ ...origin(), lane: "live" }, [{ lead: work }]);
      await js.publish(names.park.due("source", "live"), item!.data, { headers: item!.headers });
      await at.bury(work, "source");
      const { accepted, inFlight, ok } = await at.look();
      assert.deepEqual({ accepted, inFlight, ok }, { accepted: 3, inFlight: 3, ok: true });
    });

    it("reads streams of more than one batch whole, and is not led astray by messages that are none of ours", async () => {
      const leads = Array.from({ length: 1_300 }, () => aLead());
      await acceptBulk(at.mesh, leads);
      await acceptLive(
        at.mesh,
        leads.slice(0, 700).map((lead) => aLead({ tenant: "other", leadId: lead.leadId })),
      );
      const js = at.mesh.nats.jetstream();
      for (const body of [
        "",
        "no json",
        "[]",
        '{"items":7}',
        '{"items":[null,{"lead":{"leadId":"x","tenant":"acme"}}]}',
        "\u0000",
      ])
        await js.publish(at.mesh.names.mailbox("enrich").subject("bulk"), body);
      await js.publish(at.mesh.names.dead.subject("score", "acme"), "no json");
      await js.publish(at.mesh.names.accepted.many("acme"), new Uint8Array(5));
      const { accepted, inFlight, tenants } = await at.look();
      assert.deepEqual(
        [accepted, inFlight, tenants["acme"]?.inFlight, tenants["other"]?.inFlight],
        [2_000, 2_000, 1_300, 700],
      );
    });

    it("names a lead whose message vanished before it came to the record", async () => {
      const [lost, kept] = [aLead(), aLead()];
      await acceptLive(at.mesh, [kept]);
      await at.accept(lost);
      const message = await at.post(lost, pipeline[0]!.name);
      assert.equal((await at.look()).ok, true);
      await at.remove(message);
      const { ok, broken, accepted, tenants } = await at.look();
      assert.deepEqual({ ok, broken, accepted }, { ok: false, broken: [lost.leadId], accepted: 2 });
      assert.deepEqual(tenants["acme"]?.broken, [lost.leadId]);
    });

    it("names a lead whose message vanished after its first checkpoint", async () => {
      const lost = aLead();
      await at.accept(lost);
      await at.arrive(lost);
      const message = await at.post(lost, "score");
      assert.equal((await at.look()).inFlight, 1);
      await at.remove(message);
      assert.deepEqual((await at.look()).broken, [lost.leadId]);
    });

    it("names a completed lead whose row was deleted", async () => {
      const [lost, kept] = [aLead(), aLead()];
      await at.arrive(lost, kept);
      await at
        .knex("acceptances")
        .insert([lost, kept].map((l) => ({ tenant: l.tenant, lead_id: l.leadId, accepted_at: new Date() })));
      await end(at.knex, lost, kept);
      assert.equal((await at.look()).completed, 2);
      await at.knex("leads").where({ lead_id: lost.leadId }).del();
      const { completed, broken } = await at.look();
      assert.deepEqual({ completed, broken }, { completed: 1, broken: [lost.leadId] });
    });

    it("names a dead lead whose dead letter was deleted, marked or not", async () => {
      for (const marked of [true, false]) {
        const lost = aLead();
        await at.accept(lost);
        await at.arrive(lost);
        if (marked) await at.knex("leads").where({ lead_id: lost.leadId }).update({ state: "dead" });
        const letter = await at.bury(lost, "score");
        const before = await at.look({ accepted: [lost] });
        assert.equal(before.dead, 1);
        await at.remove(letter);
        assert.deepEqual((await at.look()).broken, [lost.leadId]);
        await at.knex("leads").where({ lead_id: lost.leadId }).update({ state: "discarded" });
      }
    });

    it("holds what it finds against a list of the ids that were answered 202, whoever's they are", async () => {
      const [known, lost] = [aLead(), aLead()];
      await at.arrive(known);
      await end(at.knex, known);
      const withTenant = await at.look({ accepted: [known, lost] });
      assert.deepEqual([withTenant.accepted, withTenant.completed, withTenant.broken], [2, 1, [lost.leadId]]);
      const bare = await at.look({ accepted: [{ leadId: known.leadId }, { leadId: lost.leadId }] });
      assert.deepEqual([bare.completed, bare.broken, bare.tenants["acme"]?.accepted], [1, [lost.leadId], 1]);
    });

    it("counts a dead lead that is on its way again as on its way, and one that died by a later telling as dead", async () => {
      const [redriven, again] = [aLead(), aLead()];
      await at.arrive(redriven, again);
      await at.knex("leads").where({ lead_id: redriven.leadId }).update({ state: "dead" });
      await at.post(redriven, "score");
      await end(at.knex, again);
      await at.bury({ ...again, revision: again.revision + 1 }, "enrich");
      const { inFlight, dead, completed, ok } = await at.look();
      assert.deepEqual({ inFlight, dead, completed, ok }, { inFlight: 1, dead: 1, completed: 0, ok: true });
    });

    it("names a lead whose later telling vanished, though its letter of an earlier one stands, and none whose letter says no telling", async () => {
      const [lost, unread] = [aLead(), aLead()];
      const again = (lead: Lead) => ({ ...lead, revision: lead.revision + 1 });
      await at.accept(lost, unread);
      await at.bury(lost, "score");
      await at.bury({ ...unread, revision: undefined as never }, "score");
      await at.arrive(again(lost), again(unread));
      const { accepted, dead, broken } = await at.look();
      assert.deepEqual({ accepted, dead, broken }, { accepted: 2, dead: 1, broken: [lost.leadId] });
      // As an old letter of it, too, leaves the one that nobody can read.
      await at.bury(unread, "score");
      await at.bury(again(lost), "email");
      const found = await at.look();
      assert.deepEqual([found.dead, found.ok], [2, true]);
    });
  });

  describe("as a command", () => {
    const run = (mesh: TestMesh, ...args: string[]) =>
      new Promise<{ code: number; out: string; err: string }>((resolve) => {
        const child = execFile(
          process.execPath,
          [join(import.meta.dirname, "..", "..", "bin", "audit.ts"), ...args],
          { env: { PATH: process.env.PATH, ...environmentOf(mesh.settings) } },
          (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
        );
      });

    it("ends with 0 and exact JSON when all is there, with 1 and the ids when not, with 2 when it cannot know", async () => {
      await using mesh = await startMesh({ services: [] });
      const at = await place(mesh);
      const [kept, lost] = [aLead(), aLead()];
      await at.accept(kept, lost);
      await at.post(kept, "enrich");
      const message = await at.post(lost, "enrich");
      const good = await run(mesh, "--json", "--dir", "/nonexistent");
      const tally = { ...none, accepted: 2, inFlight: 2, ok: true, broken: [] };
      assert.equal(good.code, 0, good.err);
      assert.deepEqual(JSON.parse(good.out), { ...tally, tenants: { acme: tally } });
      await at.remove(message);
      const bad = await run(mesh, "--dir", "/nonexistent");
      assert.equal(bad.code, 1, bad.err);
      assert.ok(bad.out.includes(lost.leadId) && !bad.out.includes(kept.leadId), bad.out);

      const folder = await mkdtemp(join(tmpdir(), "audit-"));
      try {
        const file = join(folder, "ids");
        const never = randomUUID();
        await writeFile(file, `${kept.leadId}\nacme ${never}\n`);
        const held = await run(mesh, "--json", "--accepted", file, "--dir", "/nonexistent");
        assert.deepEqual(JSON.parse(held.out).broken.sort(), [lost.leadId, never].sort());
        await writeFile(file, "no id\n");
        const unreadable = await run(mesh, "--accepted", file, "--dir", "/nonexistent");
        assert.equal(unreadable.code, 2);
        assert.match(unreadable.err, /line 1/);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  });
});

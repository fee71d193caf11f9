import assert from "node:assert/strict";
import type { Knex } from "knex";
import { transaction } from "../../../mixins/knex.ts";
import { type Arrived, arrive } from "../../../services/dedupe/arrive.sql.ts";
import { compare } from "../../../services/dedupe/compare.ts";
import { latestById } from "../../../services/dedupe/party.ts";
import { type Profile, profileOf } from "../../../services/dedupe/profile.ts";
import { join, type Settlement } from "../../../services/dedupe/settle.sql.ts";
import { verdictOf } from "../../../services/dedupe/verdict.ts";
import type { Lead, LeadFields } from "../../../services/leads/lead.ts";
import { writeEnds } from "../../../services/leads/record.ts";
import { passed } from "../../support/leads.ts";
import { business, contents, dedupePlace, rowOf, seeded, seededId, settleIn, shuffled } from "./place.ts";

const seed = Number(process.env["TEST_SEED"] ?? Date.now() % 1_000_000);

/** Clusters by union-find over all pairs that share a value: what the keys and the locks must come to, found without. */
function oracle(leads: readonly Lead[]): Map<string, string> {
  const parent = new Map(leads.map(({ leadId }) => [leadId, leadId]));
  const find = (id: string): string => (parent.get(id) === id ? id : find(parent.get(id)!));
  const profiles = leads.map((lead) => profileOf(lead, lead.fields));
  for (const shared of [
    (p: Profile) => p.phone,
    (p: Profile) => p.email,
    (p: Profile) => p.name.join(" "),
    (p: Profile) => `${p.number} ${p.street.join(" ")}`,
  ]) {
    for (const group of Map.groupBy(profiles, shared).values()) {
      for (const [n, a] of group.entries())
        for (const b of group.slice(n + 1))
          if (verdictOf(compare(a, b)) === "same") parent.set(find(a.leadId), find(b.leadId));
    }
  }
  return new Map(leads.map(({ leadId }) => [leadId, find(leadId)]));
}

/** The clusters of a database must be those of the oracle: one lead that stays for each, all others one step from it. */
async function assertClusters(knex: Knex, leads: readonly Lead[], hint: string): Promise<void> {
  const expected = oracle(leads);
  const rows = await knex("leads").select("lead_id", "state", "merged_into");
  const found = new Map(rows.map((r) => [r.lead_id as string, r]));
  assert.equal(found.size, leads.length, hint);
  const winners = new Map<string, string>();
  for (const { leadId } of leads) {
    const row = found.get(leadId)!;
    const winner = row.merged_into ?? leadId;
    assert.equal(row.state, row.merged_into ? "merged" : "in_progress", hint);
    assert.equal(found.get(winner)!.merged_into, null, `${hint}: a winner was itself merged`);
    const cluster = expected.get(leadId)!;
    assert.equal(winners.get(cluster) ?? winner, winner, `${hint}: two stay of one cluster`);
    winners.set(cluster, winner);
  }
  assert.equal(new Set(winners.values()).size, winners.size, `${hint}: two clusters became one`);
  const merged = rows.filter((r) => r.state === "merged").length;
  const booked = await knex("merges").countDistinct("loser as n").count("* as all").first();
  assert.deepEqual([Number(booked!["n"]), Number(booked!["all"])], [merged, merged], `${hint}: merges booked`);
}

/** Settles as the stage does, but takes its time before each commit. */
async function slowly(knex: Knex, leads: Lead[], pause: () => Promise<unknown>): Promise<Map<string, Settlement>> {
  const within = <T>(work: (trx: Knex.Transaction) => Promise<T>) =>
    transaction(knex, async (trx) => {
      await pause();
      const done = await work(trx);
      await pause();
      return done;
    });
  const arrived = await within<Arrived[]>((trx) => arrive(trx, "dedupe", leads));
  return within((trx) => join(trx, arrived));
}

/** Counts the deadlocks that PostgreSQL had to end, which a second run would hide. */
function countDeadlocks(knex: Knex, found: { deadlocks: number }): void {
  knex.on("query-error", (error: { code?: string }) => {
    if (error.code === "40P01") found.deadlocks++;
  });
}

/** Leads of which about a quarter are doubles: same contact and name or street, some tying two clusters together. */
function crowd(size: number, random: () => number): Lead[] {
  const pick = <T>(list: T[]): T => list[Math.floor(random() * list.length)]!;
  const leads: Lead[] = [];
  for (let n = 0; n < size; n++) {
    let fields: LeadFields = {
      name: `Shop ${n}`,
      phone: `+1312${5_000_000 + n}`,
      email: `owner@shop${n}.example`,
      address: { street: `${n} Elm`, zip: "60601" },
    };
    if (n > 10 && random() < 0.3) {
      const one = pick(leads).fields;
      const two = pick(leads).fields;
      fields =
        random() < 0.8
          ? {
              ...fields,
              phone: one.phone!,
              ...(random() < 0.5 ? { name: one.name, address: {} } : { address: one.address! }),
            }
          : { ...fields, name: one.name, phone: one.phone!, email: two.email!, address: two.address! };
    }
    leads.push(business(fields, { leadId: seededId(size, n), revision: 1_000 + Math.floor(random() * 1_000) }));
  }
  return leads;
}

describe(`dedupe: many at once (TEST_SEED=${seed})`, () => {
  it("ends two doubles that arrive at the same moment on two instances as one lead, 200 times", async () => {
    await using place = await dedupePlace(2);
    const instances = [place.knex, place.another()];
    const random = seeded(seed);
    const pause = () => new Promise((resolve) => setTimeout(resolve, random() * 3));
    for (let n = 0; n < 200; n++) {
      // Two contacts each, so that the two transactions may hold one key and want the other.
      const shared = { name: `Bakery ${n}`, phone: `+1312${6_000_000 + n}`, email: `bakery${n}@mail.example` };
      const fill = (side: string) =>
        Array.from({ length: Math.floor(random() * 4) }, (_, i) =>
          business({ name: seededId(n, side, i).slice(0, 8), phone: shared.phone }),
        );
      const doubles = [business(shared, { revision: 1_000 }), business(shared, { revision: 1_000 })];
      const settled = await Promise.all(
        instances.map((knex, side) => slowly(knex, latestById([doubles[side]!, ...fill(`${side}`)]), pause)),
      );
      const kinds = doubles.map(({ leadId }, side) => settled[side]!.get(leadId)!.kind).sort();
      assert.deepEqual(kinds, ["live", "merged"], `round ${n}`);
      const rows = await Promise.all(doubles.map(({ leadId }) => rowOf(place.knex, leadId)));
      const [stays, merged] = rows[0]!.state === "merged" ? [rows[1]!, rows[0]!] : [rows[0]!, rows[1]!];
      assert.deepEqual([stays.merged_into, merged.merged_into], [null, stays.lead_id], `round ${n}`);
    }
  });

  it("finds a double that came on record and was cut off before it looked, which then finds the same", async () => {
    await using place = await dedupePlace(2);
    const shared = { name: "Bakery", phone: "+13125550142" };
    const [a, b] = [business(shared), business(shared)];
    await transaction(place.knex, (trx) => arrive(trx, "dedupe", [a]));
    assert.deepEqual((await place.settle([b])).get(b.leadId), { kind: "merged", into: a.leadId });
    assert.deepEqual((await place.settle([a])).get(a.leadId), { kind: "live", fields: a.fields });
  });

  it("does not find what is not committed, whose own look then finds both", async () => {
    await using place = await dedupePlace(2);
    const shared = { name: "Bakery", phone: "+13125550142" };
    const [a, b] = [business(shared), business(shared)];
    const trx = await place.another().transaction();
    const arrived = await arrive(trx, "dedupe", [a]);
    assert.equal((await place.settle([b])).get(b.leadId)!.kind, "live");
    await trx.commit();
    const joined = await transaction(place.knex, (later) => join(later, arrived));
    assert.deepEqual(joined.get(a.leadId), { kind: "merged", into: b.leadId });
  });

  for (let shuffle = 0; shuffle < 5; shuffle++) {
    it(`finds the clusters of an oracle with 20 workers over 5,000 leads, in any order (${shuffle + 1} of 5)`, async () => {
      await using place = await dedupePlace(10);
      const random = seeded(seed + shuffle);
      const leads = crowd(5_000, random);
      const batches: Lead[][] = [];
      const queue = shuffled(leads, random);
      while (queue.length > 0) batches.push(queue.splice(0, 1 + Math.floor(random() * 99)));
      // Some batches come twice, as redeliveries do, perhaps while the first one is still in work.
      for (const batch of batches.filter(() => random() < 0.2))
        batches.splice(Math.floor(random() * batches.length), 0, batch);
      const instances = [place.knex, place.another()];
      const found = { deadlocks: 0 };
      for (const knex of instances) countDeadlocks(knex, found);
      let next = 0;
      await Promise.all(
        Array.from({ length: 20 }, async (_, worker) => {
          for (let at = next++; at < batches.length; at = next++) {
            const batch = batches[at]!;
            const settled = await settleIn(instances[worker % 2]!, batch);
            // Ends of later stages write the same rows meanwhile, merged ones among them.
            const ends = batch.filter(({ leadId }) => settled.get(leadId)!.kind === "merged");
            const into = (lead: Lead) => (settled.get(lead.leadId) as { into: string }).into;
            await writeEnds(
              instances[worker % 2]!,
              ends.map((lead) => ({
                lead: passed(lead, "dedupe"),
                stage: "dedupe",
                state: "merged" as const,
                into: into(lead),
              })),
            );
          }
        }),
      );
      await assertClusters(place.knex, leads, `shuffle ${shuffle}`);
      assert.equal(found.deadlocks, 0, "the lock order leaves no deadlock");
      if (shuffle > 0) return;
      const before = await contents(place.knex);
      for (const batch of batches) await settleIn(place.knex, batch);
      assert.deepEqual(await contents(place.knex), before, "repeats change nothing");
    });
  }

  it("loses and doubles nothing when its connection is killed in the middle", async () => {
    await using place = await dedupePlace(3);
    const leads = crowd(600, seeded(seed));
    const killer = place.another();
    for (let from = 0; from < leads.length; from += 100) {
      const batch = leads.slice(from, from + 100);
      await assert.rejects(
        transaction(place.knex, async (trx) => {
          if (from % 200 === 0) await arrive(trx, "dedupe", batch);
          else await join(trx, await transaction(killer, (early) => arrive(early, "dedupe", batch)));
          const { rows } = await trx.raw("select pg_backend_pid() as pid");
          await killer.raw("select pg_terminate_backend(?)", [rows[0].pid]);
          await trx.raw("select 1");
        }),
        (error: any) => error.type === "OUTAGE" && error.data.dependency === "postgres",
      );
      await settleIn(place.knex, batch);
    }
    await assertClusters(place.knex, leads, "after kills");
  });

  it("merges none of 20,000 businesses behind one call centre's phone, and is not slower for it", async () => {
    await using place = await dedupePlace(2);
    const make = (phoneOf: (n: number) => string, tag: string) =>
      Array.from({ length: 20_000 }, (_, n) => business({ name: `${tag} ${n}`, phone: phoneOf(n) }));
    const run = async (leads: Lead[]) => {
      const times: number[] = [];
      for (let from = 0; from < leads.length; from += 250) {
        const start = performance.now();
        const settled = await place.settle(leads.slice(from, from + 250));
        times.push(performance.now() - start);
        for (const settlement of settled.values()) assert.equal(settlement.kind, "live");
      }
      // The last quarter, when the phone has 15,000 businesses already; the median, as other tests share the machine.
      const last = times.slice(-20).sort((a, b) => a - b);
      return last[10]!;
    };
    const own = await run(make((n) => `+1312${7_000_000 + n}`, "Own"));
    const shared = await run(make(() => "+18005550100", "Called"));
    assert.ok(shared < own * 2, `a batch takes ${shared.toFixed(1)} ms behind one phone, ${own.toFixed(1)} ms else`);
  });
});

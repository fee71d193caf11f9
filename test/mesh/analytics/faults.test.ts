import assert from "node:assert/strict";
import { countNamed, countNoted } from "../../../services/analytics/count.sql.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { insertLeads } from "../../../services/leads/record.ts";
import { Business, nthLead } from "../../support/business.ts";
import { type Child, startCounting } from "../../support/child.ts";
import { eventually } from "../../support/eventually.ts";
import { countAll, kept, recount } from "../../support/figures.ts";
import { testPlace } from "../../support/servers.ts";

/** mulberry32: the same seed, the same business. */
function dice(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const seed = Number(process.env["FIGURES_SEED"] ?? Date.now() % 1_000_000_000);
const leadCount = 120;
/** What is done to leads between two kills, at the least. */
const actsBetween = 100;
const mostKills = 4;
const writers = 4;

describe(`business figures (FIGURES_SEED=${seed})`, () => {
  it("equal a full recount after leads were told, merged, unmerged, erased and mailed by many at once, while counters were killed", async function () {
    this.timeout(60_000);
    await using place = await testPlace();
    await using business = new Business(place);
    const { knex } = business;
    const random = dice(seed);
    const leads = Array.from({ length: leadCount }, (_, n) => nthLead(n));
    const any = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const tellings: Record<string, (lead: Lead) => Promise<unknown>> = {
      arrive: (lead) => business.arrive(lead),
      many: () => business.arrive(...new Set(Array.from({ length: 20 }, () => any(leads)))),
      later: (lead) =>
        business.arrive({
          ...lead,
          revision: lead.revision + 1 + Math.floor(random() * 3),
          source: any(["yelp", "places"]),
          fields: {
            ...lead.fields,
            address: { city: "Chicago", zip: any(["60601", "60699"]) },
            vertical: any(["bakery", "bar"]),
          },
        }),
      end: (lead) => business.end(lead, Math.floor(random() * 101), any(["completed", "completed", "rejected"])),
      die: (lead) => business.die(lead),
      merge: async (lead) => {
        const { tenant } = lead;
        const live = await knex("leads")
          .where({ tenant })
          .whereIn("state", ["in_progress", "completed"])
          .pluck("lead_id");
        const [winner, loser] = [any(live), any(live)];
        return winner !== loser && business.merge({ ...lead, leadId: winner }, { ...lead, leadId: loser });
      },
      unmerge: async (lead) => {
        const { tenant } = lead;
        const merged = await knex("leads").where({ tenant, state: "merged" }).pluck("lead_id");
        return merged.length > 0 && (await business.unmerge({ ...lead, leadId: any(merged) })).kind === "done";
      },
      mail: (lead) =>
        business.mail(lead, any(["written", "sending", "sent", "sent", "bounced", "complained", "unknown"])),
      open: async (lead) => (await business.open(lead)) === "applied",
      unsubscribe: (lead) => business.unsubscribe(lead),
      spend: (lead) => business.spend(any([lead, { tenant: lead.tenant }]), 1 + Math.floor(random() * 1_000)),
      // Much rarer: nothing undoes it.
      erase: async (lead) => random() < 0.15 && business.erase(lead),
    };
    const names = Object.keys(tellings);
    const done: Record<string, number> = {};

    let counters: Child[] = await Promise.all([startCounting(place.settings), startCounting(place.settings)]);
    let acted = 0;
    let isOver = false;
    /** A statement that meets what another writer does at the same moment may be refused: it is not done then. */
    const write = async () => {
      for (; !isOver; acted++) {
        const name = any(names);
        const act = () => tellings[name]!(any(leads));
        await act().then(
          (did) => {
            if (did !== false) done[name] = (done[name] ?? 0) + 1;
          },
          (error: { code?: string }) => assert.ok(["40001", "40P01"].includes(error.code ?? ""), error as Error),
        );
      }
    };
    const kill = async () => {
      for (let kills = 0; kills < mostKills; kills++) {
        const until = acted + actsBetween;
        await eventually("the business goes on", () => acted > until, { everyMs: 2 });
        const [oldest, ...others] = counters;
        oldest!.process.kill("SIGKILL");
        await oldest!.exited;
        counters = [...others, await startCounting(place.settings)];
      }
    };
    try {
      const wrote = Array.from({ length: writers }, write);
      await kill().finally(() => {
        isOver = true;
      });
      await Promise.all(wrote);
      for (const name of names) assert.ok(done[name]! > 0, `${name} was done`);
      await eventually("all is counted", async () => !(await knex("analytics_changes").first()));
      for (const { lines } of counters) assert.deepEqual(lines, ["ready"], "no counter met a fault");
    } finally {
      for (const counter of counters) await counter[Symbol.asyncDispose]();
    }
    const figures = await kept(knex);
    assert.deepEqual(figures, await recount(knex));
    const sum = (name: string) => Object.values(figures.days).reduce((all, row) => all + (row[name] ?? 0), 0);
    for (const name of ["taken_in", "erased", "mailed", "opened", "unsubscribed", "cost_micro"])
      assert.ok(sum(name) > 0, `${name} was counted`);

    // A counter that is mended counts the same: all of it noted again moves nothing.
    await knex.raw("insert into analytics_changes (tenant, lead_id) select tenant, lead_id from leads");
    assert.ok((await countAll(knex)) > 0);
    assert.deepEqual(await kept(knex), figures);
  });

  it("miss nothing of a transaction that commits long after later ones were counted", async () => {
    await using place = await testPlace();
    await using business = new Business(place);
    const [slow, quick] = [nthLead(0), nthLead(3)];
    const told = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const open = business.knex.transaction(async (trx) => {
      await insertLeads(trx, "dedupe", [slow]);
      told.resolve();
      await goOn.promise;
    });
    await told.promise;
    await business.arrive(quick);
    assert.equal(await countAll(business.knex), 1);
    goOn.resolve();
    await open;
    assert.equal(await countAll(business.knex), 1);
    assert.deepEqual(await kept(business.knex), await recount(business.knex));
  });

  it("are counted by one at a time, and one who is named waits for who is at it", async () => {
    await using place = await testPlace();
    await using business = new Business(place);
    const { knex } = business;
    const lead = nthLead(0);
    await business.arrive(lead);
    const first = await knex.transaction();
    assert.equal(await countNoted(first, 100), 1);
    await business.end(lead, 50);
    const second = await knex.transaction((trx) => countNoted(trx, 100));
    assert.equal(second, null, "another finds it at work");
    const named = knex.transaction((trx) => countNamed(trx, lead.tenant, [lead.leadId]));
    await eventually("it waits", async () => {
      const { rows } = await knex.raw("select 1 from pg_locks where locktype = 'advisory' and not granted");
      return rows.length > 0;
    });
    await first.commit();
    await named;
    assert.deepEqual(await kept(knex), await recount(knex));
    assert.equal(await countAll(knex), 1, "its note is still there");
    assert.deepEqual(await kept(knex), await recount(knex));
  });
});

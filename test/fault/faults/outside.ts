import { setTimeout as delay } from "node:timers/promises";
import { acceptor } from "../../../mixins/accept.ts";
import type { Resources } from "../../../mixins/resources.ts";
import { leadIdOf } from "../../../services/intake/ids.ts";
import type { Failure } from "../../support/providers/http-stub.ts";
import { type Act, patienceMs, type RowAct } from "../act.ts";
import { brokenAlready } from "../proof.ts";
import type { Fault } from "../rows.ts";

const asked = (act: Act): Promise<number> =>
  act.until("the provider is being asked", async () => act.world.pagespeed.open, patienceMs, 5);

/** PageSpeed fails in one way for a while, and is well again. */
export function provider(what: string, failure: Failure): Fault {
  return {
    what: `provider: ${what}`,
    async strike(act) {
      const { pagespeed, clock } = act.world;
      act.struck("provider", await asked(act));
      pagespeed.failure = failure;
      await delay(clock.outageMs);
      pagespeed.failure = "none";
      act.healed();
    },
  };
}

/**
 * PageSpeed answers 429 and never anything else. Its leads are parked for as long as it does, and nothing else suffers:
 * proved while it lasts. Then the driver lets it be well, so that the row can come to its end.
 */
export const tooMany: Fault<RowAct> = {
  what: "provider: 429 for ever",
  async strike(act) {
    const { pagespeed, clock, nats, names } = act.world;
    act.struck("provider", await asked(act));
    pagespeed.failure = "429";
    await act.until("leads are parked", async () => (await act.world.backlog()).parked > 0);
    await delay(clock.outageMs);
    const broken = await brokenAlready(act);
    if (broken.length > 0) throw new Error(`while it lasts: ${broken.slice(0, 3).join("; ")}`);
    pagespeed.failure = "none";
    // What an operator does who has bought more calls: nobody waits for a moment that was set before.
    const kv = await nats.jetstream().views.kv(names.bucket.providers, { bindOnly: true });
    await kv.delete("retry.pagespeed");
    act.healed();
  },
};

const hourMs = 3_600_000;

/** Messages of an hour ago come, after their leads were told anew and have ended. */
export const late: Fault<RowAct> = {
  what: "the clock: messages arrive an hour late",
  async strike(act) {
    const { world, load } = act;
    const { names, settings, nats, knex } = world;
    const { tenant } = load;
    const told = (n: number, name: string, now: number) => {
      const raw = {
        ...{ name: `${name} ${n}`, phone: `(312) 555-${1000 + n}`, email: `late-${n}@late-${n}.example` },
        ...{ website: `http://modern-late-${n}.example/`, source: "late", sourceId: String(n) },
      };
      return { raw, lead: load.read(raw, now) };
    };
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    const before = numbers.map((n) => told(n, "Before", Date.now() - hourMs).lead);
    for (const n of numbers) {
      const id = await load.client.takeIn(told(n, "After", Date.now()).raw);
      if (id === undefined) throw new Error("a lead was not taken in");
    }
    const ids = numbers.map((n) => leadIdOf(tenant, "late", String(n)));
    const ended = () =>
      knex("leads")
        .where({ tenant })
        .whereIn("lead_id", ids)
        .whereNot({ state: "in_progress" })
        .select("lead_id", "name", "revision", "state");
    await act.until("the later tellings have ended", async () => (await ended()).length === ids.length);
    const was = JSON.stringify((await ended()).sort((a, b) => (a.lead_id < b.lead_id ? -1 : 1)));
    const edge = acceptor({
      names,
      settings,
      flow: [{ name: "enrich" }],
      nats: async () => nats,
    } as unknown as Resources);
    // The later tellings have ended, and what is sent in beside them comes one by one: at most moments nothing is in hand.
    act.struck("envelopes beside them", await act.until("work is in hand", () => world.allInHand(), patienceMs, 5));
    for (const lead of before) await edge.one(lead, { tenant, requestId: "0".repeat(32), traceparent: "" });
    edge.close();
    act.healed();
    act.proofs.push(async () => {
      const is = JSON.stringify((await ended()).sort((a, b) => (a.lead_id < b.lead_id ? -1 : 1)));
      return is === was ? [] : ["a late telling has moved a lead back"];
    });
  },
};

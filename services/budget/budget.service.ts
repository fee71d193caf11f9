import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { outage } from "../../mixins/errors.ts";
import { wordsOf } from "../../mixins/log.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { capsOf, chosen, isAmount, mostMicro, type OverBudget, providerPattern } from "./caps.ts";
import type { Expired } from "./closings.sql.ts";
import { Ledger, type ReserveOrder } from "./ledger.ts";
import { choiceOf, levelsOf, talliesOf, windowsOf } from "./status.sql.ts";
import { statusOf } from "./status.ts";
import { Sweeper } from "./sweeper.ts";
import { dayOf } from "./windows.ts";

/** Longest that a reservation is held for a caller that says nothing: with one look of the sweep it is found within a minute. */
export const maxHoldMs = 50_000;
/** The part of a caller's timeout after which it is taken to have given up: its clock began before, and the answer travels. */
const patience = 0.9;
/** A provider that is asked for the fate of an effect has this long; then it cannot tell. */
const fateMs = 5_000;

const tenant = { type: "string", pattern: tenantPattern } as const;
const effectKey = { type: "string", min: 1, max: 200 } as const;
const amount = { type: "number", integer: true, min: 0, max: mostMicro } as const;
const strict = { $$strict: true } as const;

interface Vars {
  ledger: Ledger;
  sweeper: Sweeper;
}
interface Closing {
  tenant: string;
  effectKey: string;
  reservation: string;
}

/** The ledger of what is spent: reserve before a call, settle or release after it. docs/budget.md */
export default defineService({
  name: "budget",
  settings: { sweepMs: 5_000 },
  mixins: [defineMixin<Vars>()({})] as const,
  methods: {
    /** Asks the provider, where it offers to be asked (action `<provider>.fate`). */
    async fate({ provider, tenant, effectKey }: Expired): Promise<number | null> {
      const action = `${provider}.fate`;
      if (!this.broker.registry.actions.isAvailable(action)) return null;
      try {
        const cost: unknown = await this.broker.call(action, { tenant, effectKey }, { timeout: fateMs });
        return isAmount(cost) ? cost : null;
      } catch {
        return null;
      }
    },
  },
  actions: {
    /** Reserves before a call that costs: `granted`, `booked`, `held` or `over` ({@link Reservation}). */
    reserve: {
      params: {
        tenant,
        effectKey,
        provider: { type: "string", pattern: providerPattern },
        amountMicro: amount,
        essential: "boolean",
        leadId: { type: "uuid", optional: true },
        holdMs: { type: "number", integer: true, min: 100, max: maxHoldMs, default: maxHoldMs },
        repeatable: { type: "boolean", default: false },
        ...strict,
      },
      async handler(ctx: Context<ReserveOrder>) {
        const { tenant, effectKey } = ctx.params;
        const timeoutMs = ctx.options.timeout || Number.POSITIVE_INFINITY;
        const began = performance.now();
        const taken = await this.ledger.reserve(ctx.params);
        if (taken.kind !== "granted" || performance.now() - began < timeoutMs * patience) return taken;
        // Nobody hears of it any more: the sweep would book as spent what nobody has bought.
        await this.ledger.release({ tenant, effectKey, reservation: taken.reservation });
        throw outage("postgres", new Error("a reservation came too late"));
      },
    },
    /** Books what the call did cost (what was reserved, where that is not said). Again: nothing changes. */
    settle: {
      params: {
        tenant,
        effectKey,
        reservation: "uuid",
        costMicro: { ...amount, optional: true },
        answer: { type: "any", optional: true },
        ...strict,
      },
      async handler(ctx: Context<Closing & { costMicro?: number; answer?: unknown }>) {
        const closed = await this.ledger.settle(ctx.params);
        if (closed.changed && closed.costMicro > closed.reservedMicro)
          this.logger.warn("a call cost more than was reserved for it", {
            tenant: ctx.params.tenant,
            effectKey: ctx.params.effectKey,
            reservedMicro: closed.reservedMicro,
            costMicro: closed.costMicro,
          });
        return closed;
      },
    },
    /** Gives a reservation back: the call did not happen, or cost nothing. Again: nothing changes. */
    release: {
      params: { tenant, effectKey, reservation: "uuid", ...strict },
      handler(ctx: Context<Closing>) {
        return this.ledger.release(ctx.params);
      },
    },
    /** What becomes of a tenant's leads that may not be spent on ({@link OverBudget}); a change is seen within ten seconds. */
    choice: {
      cache: { keys: ["tenant"], ttl: 10 },
      params: { tenant, ...strict },
      async handler(ctx: Context<{ tenant: string }>): Promise<OverBudget> {
        const { databases, settings } = resourcesOf(this.broker);
        const { tenant } = ctx.params;
        return chosen(capsOf(settings), await choiceOf(databases.of(tenant), tenant)).overBudget;
      },
    },
    /** How many tenants have used up 75, 90 and 100 % of their budgets: `{ window, level, tenants }[]`, every pair. */
    levels: {
      cache: false,
      async handler() {
        const { databases } = resourcesOf(this.broker);
        const all = await Promise.all(databases.all().map(({ knex }) => levelsOf(knex, dayOf(Date.now()))));
        return all[0]!.map((row, n) => ({ ...row, tenants: all.reduce((sum, rows) => sum + rows[n]!.tenants, 0) }));
      },
    },
    /** How a tenant stands today and in this month ({@link BudgetStatus}). */
    status: {
      cache: false,
      params: { tenant, ...strict },
      async handler(ctx: Context<{ tenant: string }>) {
        const { tenant } = ctx.params;
        const { databases, settings } = resourcesOf(this.broker);
        const knex = databases.of(tenant);
        const day = dayOf(Date.now());
        // In this order: what is no longer open by the tally stands in the sums that are read after it.
        const tallies = await talliesOf(knex, day, tenant);
        const [rows, choice] = await Promise.all([windowsOf(knex, day, tenant), choiceOf(knex, tenant)]);
        return statusOf(rows, tallies[0], choice, capsOf(settings), day);
      },
    },
  },
  created() {
    const { databases, settings } = resourcesOf(this.broker);
    this.ledger = new Ledger({
      databases,
      caps: capsOf(settings),
      onLevel: (reached) => {
        const text = {
          75: "a budget is used by three quarters",
          90: "what is not essential stops",
          100: "a budget is used up",
        };
        this.logger.warn(text[reached.level], reached);
        this.broker.emit("budget.level", reached);
      },
    });
    this.sweeper = new Sweeper({
      databases,
      everyMs: this.settings.sweepMs,
      fate: (effect) => this.fate(effect),
      onFound: ({ tenant, effectKey, provider }, { state, costMicro }, by) =>
        this.logger.warn("a reservation was never settled: closed", {
          tenant,
          effectKey,
          provider,
          state,
          by,
          costMicro,
        }),
      onFault: (error) => this.logger.warn("cannot look for reservations that were never settled", wordsOf(error)),
    });
  },
  started() {
    this.sweeper.start();
  },
  async stopped() {
    await this.sweeper?.stop();
  },
});

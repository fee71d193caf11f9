import { randomUUID } from "node:crypto";
import { Gatherer } from "../../mixins/gather.ts";
import type { Databases } from "../../mixins/knex.ts";
import { type Asked, openWindows, type Reserved, type Room, reserve, reserveFree } from "./budget.sql.ts";
import { type Caps, chosen, type OverBudget } from "./caps.ts";
import { type Closed, type Closing, close } from "./closings.sql.ts";
import { choiceOf } from "./status.sql.ts";
import { dayOf, type Full, levels, limitOf, retryAt } from "./windows.ts";

export interface ReserveOrder {
  tenant: string;
  /** Names the effect for ever: the same key again is the same effect. */
  effectKey: string;
  provider: string;
  /** The most it can cost, micro-USD: what is settled may be less. */
  amountMicro: number;
  /** What is not (a tier 2 or 3 call) may use nine tenths of a budget only. */
  essential: boolean;
  leadId?: string;
  /** How long the caller may take, ms; whoever has not settled by then is taken for dead. */
  holdMs: number;
  /** An effect that was paid, and whose answer is kept nowhere, may be bought again. */
  repeatable?: boolean;
}

/**
 * - `granted`: go ahead, then settle or release by `reservation`.
 * - `booked`: it was done and paid before; `answer` is what it brought, where that was kept.
 * - `held`: another caller is at it; `until` it is settled or taken for lost.
 * - `over`: no room. `until` is the next window, or null where it can never fit; `overBudget` is what the tenant wants.
 */
export type Reservation =
  | { kind: "granted"; reservation: string; run: number }
  | { kind: "booked"; costMicro: number; answer: unknown }
  | { kind: "held"; until: number }
  | { kind: "over"; until: number | null; overBudget: OverBudget; full: Full[] };

/** A window reached a level for the first time. */
export interface LevelReached {
  tenant: string;
  period: "day" | "month";
  /** "" is all providers together. */
  provider: string;
  day: string;
  level: 75 | 90 | 100;
  capMicro: number;
}

export interface LedgerOptions {
  databases: Databases;
  caps: Caps;
  onLevel(reached: LevelReached): void;
  now?(): number;
}

/** What has expired is found by the sweep a moment later. */
const sweepGraceMs = 1_000;
/** Tries of an effect: each further one means that another transaction wrote the same entry meanwhile. */
const maxTries = 5;
/** Effects that one statement takes. */
const batchEffects = 200;

type Order = Asked & { tenant: string; provider: string; tries: number };

/**
 * The ledger of a process. Keeps nothing: the database does. What is reserved, or closed, while a statement of the same
 * tenant is under way goes together into the next one: each locks the tenant's windows once, for all of them.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #now: () => number;
  readonly #reserving = new Gatherer<Order, Reservation>({
    run: (orders) => this.#reserve(orders),
    nameOf: ({ effectKey }) => effectKey,
    most: batchEffects,
  });
  readonly #closing = new Gatherer<Closing & { tenant: string }, Closed>({
    run: (closings) => close(this.#options.databases.of(closings[0]!.tenant), closings[0]!.tenant, closings),
    nameOf: ({ effectKey }) => effectKey,
    most: batchEffects,
  });

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Reserves before a call. Throws the `OUTAGE` of postgres when the database is down: then nothing goes out. */
  reserve(order: ReserveOrder): Promise<Reservation> {
    const { leadId = null, repeatable = false, tenant, provider, amountMicro } = order;
    const asked = { ...order, leadId, repeatable, reservation: randomUUID(), tries: 0 };
    return this.#reserving.ask(`${tenant} ${provider} ${amountMicro === 0 ? "free" : "paid"}`, asked);
  }

  async #reserve(orders: readonly Order[]): Promise<(Reservation | undefined)[]> {
    const { tenant, provider, amountMicro } = orders[0]!;
    const budget = { tenant, provider, day: dayOf(this.#now()) };
    const knex = this.#options.databases.of(tenant);
    if (amountMicro === 0) {
      const { effects } = await reserveFree(knex, budget, orders);
      return orders.map((order, n) => this.#taken(order, effects[n]!));
    }
    const caps = chosen(this.#options.caps, await choiceOf(knex, tenant));
    const room = (essential: boolean): Room => {
      const cap = caps.providers[provider];
      return {
        day: limitOf(caps.dayMicro, essential),
        month: limitOf(caps.monthMicro, essential),
        provider: cap === undefined ? null : limitOf(cap, essential),
      };
    };
    const { windows, effects } = await reserve(knex, budget, { caps: room(true), rooms: room(false) }, orders);
    this.#tell(budget, windows);
    if (windows.length < 3) await openWindows(knex, budget);
    return orders.map((order, n) => {
      const taken = this.#taken(order, effects[n]!);
      if (taken) return taken;
      const full = fullFor(order, windows);
      if (full.length === 0) return undefined;
      const { amountMicro, essential } = order;
      const { overBudget } = caps;
      return { kind: "over", until: retryAt(full, budget.day, amountMicro, essential), overBudget, full };
    });
  }

  /** What the entry says of it; undefined: nothing, it is a matter of room, or it must be asked again. */
  #taken(order: Order, { granted, tried, before }: Reserved["effects"][number]): Reservation | undefined {
    const { reservation } = order;
    if (granted) {
      const again = before?.state === "presumed" || before?.state === "settled";
      return { kind: "granted", reservation, run: (before?.run ?? 1) + (again ? 1 : 0) };
    }
    if (before?.state === "reserved") {
      // Its own: the answer to the statement before was lost.
      if (before.reservation === reservation) return { kind: "granted", reservation, run: before.run };
      return { kind: "held", until: Math.max(Math.ceil(before.expiresAt), this.#now()) + sweepGraceMs };
    }
    if (before?.state === "settled" && !(order.repeatable && before.answer === null))
      return { kind: "booked", costMicro: before.costMicro, answer: before.answer };
    if (tried && ++order.tries === maxTries) return { kind: "held", until: this.#now() + sweepGraceMs };
    return undefined;
  }

  /** Books what the call did cost. More than was reserved is booked as it is: it was spent. */
  settle(order: {
    tenant: string;
    effectKey: string;
    reservation: string;
    costMicro?: number;
    answer?: unknown;
    by?: "caller" | "provider";
  }): Promise<Closed> {
    const { costMicro = null, answer, by = "caller", ...key } = order;
    return this.#closing.ask(order.tenant, { ...key, state: "settled", costMicro, by, answer });
  }

  /** Gives a reservation back: the call cost nothing. */
  release(order: { tenant: string; effectKey: string; reservation: string }): Promise<Closed> {
    const { tenant, effectKey, reservation } = order;
    const closing = { tenant, effectKey, reservation, state: "released", costMicro: 0, by: "caller" } as const;
    return this.#closing.ask(tenant, { ...closing, answer: undefined });
  }

  /** Each level that a window has come to, once. */
  #tell({ tenant, day }: { tenant: string; day: string }, windows: Reserved["windows"]): void {
    for (const { period, provider, told, level: reached, capMicro } of windows)
      for (const level of [levels.warning, levels.essentialOnly, levels.stop])
        if (told < level && level <= reached)
          this.#options.onLevel({ tenant, period, provider, day, level, capMicro: capMicro! });
  }
}

/** The windows that have no room for it, as the statement found them. */
function fullFor({ amountMicro, essential }: Order, windows: Reserved["windows"]): Full[] {
  return windows.flatMap(({ period, provider, usedMicro, capMicro }) =>
    capMicro === null || usedMicro + amountMicro <= limitOf(capMicro, essential)
      ? []
      : [{ period, provider, usedMicro, capMicro }],
  );
}

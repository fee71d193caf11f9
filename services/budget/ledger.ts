import { randomUUID } from "node:crypto";
import type { Databases } from "../../mixins/knex.ts";
import { type Closed, close, openWindows, type Reserved, reserve } from "./budget.sql.ts";
import { type Caps, chosen, type OverBudget } from "./caps.ts";
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
/** Runs of the statement: each further one means that another transaction wrote the same effect between two of ours. */
const maxRuns = 5;

/** The ledger of a process. Keeps nothing: the database does. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #now: () => number;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Reserves before a call. Throws the `OUTAGE` of postgres when the database is down: then nothing goes out. */
  async reserve(order: ReserveOrder): Promise<Reservation> {
    const { tenant, effectKey, provider, amountMicro, essential, holdMs } = order;
    const knex = this.#options.databases.of(tenant);
    const caps = chosen(this.#options.caps, await choiceOf(knex, tenant));
    const cap = { day: caps.dayMicro, month: caps.monthMicro, provider: caps.providers[provider] ?? null };
    const day = dayOf(this.#now());
    const reservation = randomUUID();
    for (let runs = 1; ; runs++) {
      const found = await reserve(knex, {
        tenant,
        effectKey,
        provider,
        leadId: order.leadId ?? null,
        day,
        amountMicro,
        caps: cap,
        limits: {
          day: limitOf(cap.day, essential),
          month: limitOf(cap.month, essential),
          provider: cap.provider === null ? null : limitOf(cap.provider, essential),
        },
        reservation,
        holdMs,
        repeatable: order.repeatable ?? false,
        refusedLevel: essential ? levels.stop : levels.essentialOnly,
      });
      this.#tell(tenant, day, found);
      const verdict = read(found, { ...order, reservation, day, overBudget: caps.overBudget });
      if (verdict?.kind === "held") return { kind: "held", until: Math.max(verdict.until, this.#now()) + sweepGraceMs };
      if (verdict) return verdict;
      if (runs === maxRuns) return { kind: "held", until: this.#now() + sweepGraceMs };
      if (found.windows.length < 3) await openWindows(knex, { tenant, day, provider });
    }
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
    return close(this.#options.databases.of(order.tenant), { ...key, state: "settled", costMicro, by, answer });
  }

  /** Gives a reservation back: the call cost nothing. */
  release({
    tenant,
    effectKey,
    reservation,
  }: {
    tenant: string;
    effectKey: string;
    reservation: string;
  }): Promise<Closed> {
    const key = { tenant, effectKey, reservation };
    return close(this.#options.databases.of(tenant), {
      ...key,
      state: "released",
      costMicro: 0,
      by: "caller",
      answer: undefined,
    });
  }

  #tell(tenant: string, day: string, { windows }: Reserved): void {
    for (const { period, provider, rose: level, capMicro } of windows)
      if (level !== 0 && capMicro !== null) this.#options.onLevel({ tenant, period, provider, day, level, capMicro });
  }
}

/** What a run of the statement means; null: it must run again. */
function read(
  { granted, before, windows }: Reserved,
  asked: ReserveOrder & { reservation: string; day: string; overBudget: OverBudget },
): Reservation | null {
  const { reservation, day, amountMicro, essential, overBudget } = asked;
  if (granted) {
    const again = before?.state === "presumed" || before?.state === "settled";
    return { kind: "granted", reservation, run: (before?.run ?? 1) + (again ? 1 : 0) };
  }
  if (before?.state === "reserved") {
    // Its own: the answer to the run before was lost.
    if (before.reservation === reservation) return { kind: "granted", reservation, run: before.run };
    return { kind: "held", until: Math.ceil(before.expiresAt) };
  }
  if (before?.state === "settled" && !(asked.repeatable && before.answer === null))
    return { kind: "booked", costMicro: before.costMicro, answer: before.answer };
  const full = windows.flatMap(({ fits, period, provider, usedMicro, capMicro }) =>
    fits || capMicro === null ? [] : [{ period, provider, usedMicro, capMicro }],
  );
  if (windows.length < 3 || full.length === 0) return null;
  return { kind: "over", until: retryAt(full, day, amountMicro, essential), overBudget, full };
}

import type { Settings } from "../config/settings.ts";
import { complete, type Item, type Outcome, wait } from "./actor/outcome.ts";
import type { Erased } from "./erased.ts";
import { LeadsError, outage } from "./errors.ts";
import { meterOf } from "./metrics.ts";
import { type Answer, NoAnswer, type Request, type Sorted, send, sortAnswer, textOf } from "./provider/answer.ts";
import { ProviderGate } from "./provider/gate.ts";
import { type ProviderMeter, providerMeter } from "./provider/meter.ts";
import { givenUp, givenUpFor, inVain, mostRuns } from "./provider/vain.ts";
import { resourcesOf } from "./resources.ts";
import { defineMixin, type Mixin } from "./schema.ts";
import { traced } from "./trace/scope.ts";

export interface ProviderOptions {
  /** As the gate knows it, and the ledger where there is no `account`. */
  name: string;
  /** Under which name it is booked: those of one account share its cap, and an effect of one is paid for all of them. */
  account?: string;
  key(settings: Settings): string;
  baseUrl(settings: Settings): string;
  /** Calls in a day (UTC), all instances together. */
  dailyCalls(settings: Settings): number;
  /** A good answer's form, for Moleculer's validator. What is not named is let through. */
  schema: object;
  /** What an answer says, for `schema` and `read`; throws for one that is nothing. Absent: its JSON. */
  parse?(answer: Answer): unknown;
  /** Reads an answer in the provider's own terms; null leaves it to its HTTP status. */
  sort?(answer: Answer, body: unknown): Sorted | null;
  /** Answers that are larger are none, bytes. */
  maxBytes: number;
}

/** What is asked for, and how it is paid. */
export interface Order<R> {
  tenant: string;
  /** Names the effect for ever, within the provider: a repeat of it pays nothing. */
  effect: string;
  leadId?: string;
  /** Tier 2 and 3 calls are not: they stop at nine tenths of a budget. */
  essential: boolean;
  /** The most that it can cost, micro-USD. */
  maxMicro: number;
  /** The request, with the key in it. */
  request(key: string): Request;
  /** What is wanted of a good answer, as plain JSON. May throw `PROVIDER_REFUSED`, and may put away what is not. */
  read(body: any): R | Promise<R>;
  /** Keeps that (where it is small) in the ledger, so that a repeat pays nothing. Not for what tells of people. */
  keep: boolean;
  /** What the answer says it cost; absent: `maxMicro`. */
  costOf?(body: any): number;
}

type Reserved =
  | { kind: "granted"; reservation: string; run: number }
  | { kind: "booked"; answer: unknown }
  | { kind: "held"; until: number }
  | { kind: "over"; until: number | null; overBudget: OverBudget };

/** What a tenant has chosen for its leads that may not be spent on. docs/budget.md */
type OverBudget = "wait" | "complete" | "without";

interface Vars {
  $gate: ProviderGate;
  $meter: ProviderMeter;
  $check: (body: unknown) => true | object[];
  /** Answers in a row that could not be read. */
  $unreadable: number;
  /** When the last one came that could be, ms since 1970. */
  $goodAt: number;
  /** Undefined until NATS has told. */
  $erased: Erased | undefined;
  /** Throws `PROVIDER_REFUSED` where the person of the lead was erased. */
  $refuseErased(order: Pick<Order<unknown>, "tenant" | "leadId">): void;
  /**
   * Asks, pays and reads. Throws `PROVIDER_OFF`, `PROVIDER_LATER`, `PROVIDER_REFUSED`, `OVER_BUDGET` or `OUTAGE`; what cannot
   * be had today names what its tenant has chosen for that (`data.overBudget`).
   */
  $ask<R>(order: Order<R>, requestID?: string): Promise<R>;
  $buy<R>(order: Order<R>, requestID?: string): Promise<R>;
}

/** The reservation outlives the call by this, ms. */
const settleMs = 5_000;
/** A provider that is closed for longer is, for a lead, as one that may not be paid: its tenant chooses, ms. */
const longestWaitMs = 15 * 60_000;
/** So many such answers in a row close the provider for all instances: it has changed, and each further look costs. */
const mostUnreadable = 3;
/** What is kept in the ledger of an answer at the most, characters of JSON. */
const maxKept = 16_384;

/**
 * Makes a service the provider of something outside: key, shared limits, payment, reading and sorting of its answers.
 * Circuit breaker, bulkhead, retries, timeout, cache and balancing are Moleculer's: the service sets them at its actions.
 * docs/providers.md
 */
export function provider(options: ProviderOptions): Mixin<Pick<Vars, "$ask">> {
  const { name, account = name } = options;
  return defineMixin<Vars>()({
    // Kept out of the registry, which tells every node of a service's other settings.
    settings: { $secureSettings: ["apiKey"], apiKey: "" },
    methods: {
      async $ask<R>(order: Order<R>, requestID?: string): Promise<R> {
        try {
          return await this.$buy(order, requestID);
        } catch (error) {
          const { type, message, data } = error as LeadsError & { data?: { until?: number } };
          if (type !== "PROVIDER_LATER" || (data?.until ?? 0) <= Date.now() + longestWaitMs) throw error;
          // A choice that cannot be asked for is the default's: the lead waits.
          const { tenant } = order;
          const overBudget = await this.broker.call("budget.choice", { tenant }).catch(() => "wait");
          throw new LeadsError(type, message, { ...data, overBudget });
        }
      },

      async $buy<R>(order: Order<R>, requestID?: string): Promise<R> {
        if (this.settings.apiKey === "")
          throw new LeadsError("PROVIDER_OFF", `there is no key for ${name}`, { provider: name });
        const { settings } = resourcesOf(this.broker);
        this.$refuseErased(order);
        await this.$gate.check();
        const key = { tenant: order.tenant, effectKey: `${account} ${order.effect}` };
        const ledger = (action: string, params: object): Promise<any> =>
          this.broker.call(`budget.${action}`, { ...key, ...params }, requestID === undefined ? {} : { requestID });
        const taken: Reserved = await ledger("reserve", {
          provider: account,
          amountMicro: order.maxMicro,
          essential: order.essential,
          holdMs: settings.providerTimeoutMs + settleMs,
          repeatable: true,
          ...(order.leadId === undefined ? {} : { leadId: order.leadId }),
        });
        if (taken.kind === "booked") {
          const reason = givenUpFor(taken.answer);
          if (reason) throw inVain(name, reason, true);
          return taken.answer as R;
        }
        if (taken.kind === "held")
          throw new LeadsError("PROVIDER_LATER", `${name} is being asked this`, { provider: name, until: taken.until });
        if (taken.kind === "over") {
          const { until, overBudget } = taken;
          throw new LeadsError("OVER_BUDGET", `no budget for ${name}`, { provider: name, until, overBudget });
        }
        const { reservation } = taken;
        // A ledger that is gone meanwhile is no reason to lose what was paid: the sweep books it as spent.
        const close = (action: string, params: { costMicro?: number; answer?: unknown } = {}) => {
          if (action === "settle") this.$meter.cost(params.costMicro ?? order.maxMicro);
          return ledger(action, { reservation, ...params }).catch((error: Error) =>
            this.logger.warn("a reservation is left to the sweep", { ...key, reason: error.message }),
          );
        };
        try {
          await this.$gate.take();
        } catch (error) {
          await close("release");
          throw error;
        }
        const askedAt = Date.now();
        const isLast = taken.run >= mostRuns;
        const { body, sorted } = await this.$send(order.request(this.settings.apiKey), close, {
          isLast: () => isLast && this.$goodAt > askedAt,
          keep: order.keep,
        });
        if (sorted.kind !== "good") {
          await close("release");
          return this.$refuse(sorted);
        }
        const faults = body === undefined ? ["unreadable"] : this.$check(body);
        if (faults !== true) {
          this.$meter.broken();
          await close("settle", isLast && order.keep ? { answer: givenUp("unreadable") } : {});
          if (++this.$unreadable >= mostUnreadable) await this.$gate.closeFor(null);
          throw inVain(name, "unreadable", isLast);
        }
        this.$unreadable = 0;
        this.$goodAt = Date.now();
        const costMicro = order.costOf ? order.costOf(body) : order.maxMicro;
        let result: R;
        try {
          // A call, and the queue before it, may outlast the passes of an erasure: what is told now would stay.
          this.$refuseErased(order);
          result = await order.read(body);
        } catch (error) {
          await close("settle", { costMicro });
          throw error;
        }
        const isKept = order.keep && JSON.stringify(result).length <= maxKept;
        await close("settle", { costMicro, ...(isKept ? { answer: result } : {}) });
        return result;
      },

      $refuseErased({ tenant, leadId }: Pick<Order<unknown>, "tenant" | "leadId">): void {
        if (leadId === undefined || !this.$erased?.has(tenant, leadId)) return;
        throw new LeadsError("PROVIDER_REFUSED", "the lead was erased", { provider: name, reason: "erased" });
      },

      /**
       * The answer, sorted. One that did not come is an outage: given back when it was never sent, else booked as spent; the
       * last that is paid for in vain is given up.
       */
      async $send(
        request: Request,
        close: (action: string, params?: { answer?: unknown }) => Promise<unknown>,
        { isLast, keep }: { isLast(): boolean; keep: boolean },
      ): Promise<{ body: unknown; sorted: Sorted }> {
        const { settings } = resourcesOf(this.broker);
        const limits = { timeoutMs: settings.providerTimeoutMs, maxBytes: options.maxBytes };
        let answer: Answer;
        const told = this.$meter.call();
        try {
          answer = await traced({ name: `${name} request`, kind: "CLIENT", remote: name }, () =>
            send(options.baseUrl(settings), request, limits),
          );
        } catch (error) {
          const unsent = error instanceof NoAnswer && error.unsent;
          told(unsent ? "unsent" : "unanswered");
          if (unsent || !isLast()) {
            await close(unsent ? "release" : "settle");
            throw outage(name, error);
          }
          await close("settle", keep ? { answer: givenUp("unanswered") } : {});
          throw inVain(name, "unanswered", true);
        }
        let body: unknown;
        try {
          body = options.parse ? options.parse(answer) : JSON.parse(textOf(answer));
        } catch {
          // Nothing that can be read: undefined, which no JSON is.
        }
        const sorted = sortAnswer(answer, options.sort?.(answer, body) ?? null, Date.now());
        told(sorted.kind);
        return { body, sorted };
      },

      /** Throws what an answer that is no good means; tells all instances where it is for them. */
      async $refuse(sorted: Exclude<Sorted, { kind: "good" }>): Promise<never> {
        const { reason } = sorted;
        switch (sorted.kind) {
          case "later": {
            const until = await this.$gate.closeFor(sorted.waitMs);
            throw new LeadsError("PROVIDER_LATER", `${name} ${reason}`, { provider: name, until });
          }
          case "never":
            throw new LeadsError("PROVIDER_REFUSED", `${name} refuses: ${reason}`, { provider: name, reason });
          case "down":
            throw outage(name, new Error(`it ${reason}`));
          default:
            return sorted satisfies never;
        }
      },
    },
    created() {
      const { settings, nats, names } = resourcesOf(this.broker);
      this.settings.apiKey = options.key(settings);
      this.$unreadable = 0;
      this.$goodAt = 0;
      this.$meter = providerMeter(meterOf(this.broker), name);
      this.$gate = new ProviderGate({ nats, names, provider: name, dailyCalls: options.dailyCalls(settings) });
      this.$check = this.broker.validator!.compile(options.schema as never) as unknown as Vars["$check"];
      if (this.settings.apiKey === "") this.logger.info(`${name} is off: there is no key for it`);
    },
    started() {
      // Not waited for: NATS may be away.
      void resourcesOf(this.broker)
        .erased()
        .then(
          (erased) => {
            this.$erased = erased;
          },
          () => {},
        );
    },
  }) as Mixin<Pick<Vars, "$ask">>;
}

/** Why a lead goes on without the answer that it wanted, as its tenant chose; null: it does not. Looks at fields only. */
export function goesWithout(error: unknown): "over_budget" | "later" | null {
  const { type, data } = error as { type?: string; data?: { overBudget?: string } };
  if (data?.overBudget !== "without") return null;
  if (type === "OVER_BUDGET") return "over_budget";
  return type === "PROVIDER_LATER" ? "later" : null;
}

/**
 * What a provider's error means for the item that needed it: it waits (for the provider, or for the next budget), or ends
 * as its tenant chose. null for any other error. Who can go on without asks `goesWithout` first; what cannot waits. Looks
 * at fields only: classes do not survive the wire.
 */
export function outcomeOf<T extends Item>(error: unknown, item: T): Outcome<T> | null {
  const { type, data, message } = error as {
    type?: string;
    message: string;
    data?: { until?: number | null; overBudget?: string };
  };
  if (type === "PROVIDER_LATER") return wait(data?.until ?? Date.now() + 60_000, message);
  if (type !== "OVER_BUDGET") return null;
  const until = data?.until ?? null;
  return until === null || data?.overBudget === "complete" ? complete(item, "over_budget") : wait(until, message);
}

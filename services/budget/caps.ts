/** What may be spent: the settings' figures, and what a tenant has chosen instead (`tenants.settings`, under `budget`). */

export interface Caps {
  dayMicro: number;
  monthMicro: number;
  /** provider -> what may be spent on it in a day; one that is not named has the common budget alone. */
  providers: Readonly<Record<string, number>>;
  overBudget: OverBudget;
}

/**
 * What becomes of a lead whose stage may not spend: it waits for the next window, ends with the reason `over_budget`, or
 * goes on without what cannot be paid.
 */
const overBudgets = ["wait", "complete", "without"] as const;
export type OverBudget = (typeof overBudgets)[number];
export const isOverBudget = (value: unknown): value is OverBudget => overBudgets.some((one) => one === value);

/** A tenant's own choice; what is absent is as the settings say. */
export interface BudgetChoice {
  dayMicro?: number;
  monthMicro?: number;
  providers?: Record<string, number>;
  overBudget?: OverBudget;
}

/** Providers are named as in the settings, by a word that can stand in keys and subjects. */
export const providerPattern = /^[a-z][a-z0-9-]{0,31}$/;
/** A million USD. */
export const mostMicro = 1_000_000_000_000;

interface Figures {
  budgetDayMicro: number;
  budgetMonthMicro: number;
  capLlmMicro: number;
  capSemrushMicro: number;
  capScreenshotMicro: number;
  capSendgridMicro: number;
  overBudget: OverBudget;
}

export function capsOf(settings: Figures): Caps {
  return {
    dayMicro: settings.budgetDayMicro,
    monthMicro: settings.budgetMonthMicro,
    providers: {
      llm: settings.capLlmMicro,
      semrush: settings.capSemrushMicro,
      screenshot: settings.capScreenshotMicro,
      sendgrid: settings.capSendgridMicro,
    },
    overBudget: settings.overBudget,
  };
}

/** The tenant's choice over the defaults. What is no such thing (written by another hand) counts for nothing. */
export function chosen(defaults: Caps, choice: unknown): Caps {
  const own = (choice ?? {}) as Record<keyof BudgetChoice, unknown>;
  const providers = Object.entries((own.providers ?? {}) as object).filter(([, cap]) => isAmount(cap));
  return {
    dayMicro: isAmount(own.dayMicro) ? own.dayMicro : defaults.dayMicro,
    monthMicro: isAmount(own.monthMicro) ? own.monthMicro : defaults.monthMicro,
    providers: { ...defaults.providers, ...Object.fromEntries(providers) },
    overBudget: isOverBudget(own.overBudget) ? own.overBudget : defaults.overBudget,
  };
}

/** Whole micro-USD. */
export function isAmount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= mostMicro;
}

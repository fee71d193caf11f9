/** What becomes of a mock-up whose language model does not answer: it waits, or the template serves. */

export interface Failed {
  type?: string;
  data?: { until?: number | null; reason?: string; overBudget?: string };
}

const shortestMs = 5_000;
const longestMs = 120_000;

/**
 * Until when the lead waits, ms since 1970; null: it does not. A limit is waited for, be it of a day or an unpaid bill, unless
 * the lead's tenant would rather go on without. A model that is down, or busy with others, is looked at
 * again and again (`isDown`), the more seldom the longer the lead has waited (`since`: when it left the stage before), and
 * never all at once (`chance`: 0 to 1). The lead is parked meanwhile: it burns no try, and holds up no other.
 */
export function waitOf(
  error: Failed,
  { now, since, chance, isDown }: { now: number; since: number; chance: number; isDown: boolean },
): number | null {
  const spread = (ms: number) => now + Math.round(ms * (0.5 + chance / 2));
  if (error.type === "PROVIDER_LATER") {
    if (error.data?.overBudget === "without") return null;
    return Math.max(now, error.data?.until ?? now + shortestMs) + Math.round(chance * shortestMs);
  }
  // Paid for, and perhaps for ever in a form that nobody knows.
  if (error.data?.reason === "unreadable") return null;
  return isDown ? spread(Math.min(longestMs, Math.max(shortestMs, (now - since) / 2))) : null;
}

/** Why the template serves; null for an error that says nothing of the model. */
export function reasonOf({ type, data }: Failed): string | null {
  switch (type) {
    case "PROVIDER_OFF":
      return "no_key";
    case "OVER_BUDGET":
      return "over_budget";
    case "PROVIDER_LATER":
      return "later";
    case "PROVIDER_REFUSED":
      return `refused: ${data?.reason ?? "unknown"}`;
    default:
      return data?.reason === "unreadable" ? "unreadable" : null;
  }
}

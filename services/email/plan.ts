import { afterQuiet, type QuietHours } from "./quiet-hours.ts";

/** E-mails a day while an address warms up, two days each: mail services distrust a sender that comes from nowhere. */
const warmUp = [5_000, 15_000, 35_000, 50_000, 75_000, 100_000, 110_000] as const;
const daysAStep = 2;

/** What a tenant may send on the `dayOfSending`th day (0 is the first) when its limit is `limit`. */
export function dayLimit(dayOfSending: number, limit: number): number {
  return Math.min(limit, warmUp[Math.floor(dayOfSending / daysAStep)] ?? limit);
}

/** Above this share of what was sent in seven days nothing more is, once there are enough to judge by. */
export const stopAt = { sent: 200, bounced: 0.02, complained: 0.001, days: 7 } as const;

/** Why a tenant must not go on, or undefined. Counts of the last seven days. */
export function reasonToStop(counts: { sent: number; bounced: number; complained: number }): string | undefined {
  const { sent, bounced, complained } = counts;
  if (sent < stopAt.sent) return undefined;
  const share = (part: number) => `${((part / sent) * 100).toFixed(2)} %`;
  if (complained / sent >= stopAt.complained)
    return `${complained} of ${sent} e-mails in seven days were complained of (${share(complained)}; the limit is 0.1 %)`;
  if (bounced / sent >= stopAt.bounced)
    return `${bounced} of ${sent} e-mails in seven days bounced (${share(bounced)}; the limit is 2 %)`;
  return undefined;
}

/** An e-mail that is due. Times are ms since 1970. */
export interface Due {
  domain: string;
  timeZone: string;
  /** The moment its domain has reserved for it. */
  slotAt: number | null;
}

export type Verdict = { kind: "claim" } | { kind: "later"; until: number; slotAt: number | null };

export interface PlanOptions {
  now: number;
  /** E-mails that a sender has hands for. */
  hands: number;
  /** E-mails that the tenant may still send today. */
  allowance: number;
  quiet: QuietHours | undefined;
  perMinute: number;
}

/** A reserved moment that was missed by longer than this is lost: what waited together must not leave together. */
const slotLastsMs = 2_000;

/**
 * Says of e-mails that are due which go now and which later. `nextAt` (domain -> when it may be written to next) is
 * brought forward: a domain's e-mails get moments at even distances, each reserved when it is first looked at, so that
 * a heap for one domain is looked at twice, not once a minute. The list ends where hands or the day's allowance do.
 */
export function plan(due: readonly Due[], nextAt: Map<string, number>, options: PlanOptions): Verdict[] {
  const { now, quiet, perMinute } = options;
  const gapMs = 60_000 / perMinute;
  let free = Math.min(options.hands, options.allowance);
  const verdicts: Verdict[] = [];
  for (const { domain, timeZone, slotAt } of due) {
    if (free <= 0) break;
    const morning = afterQuiet(now, timeZone, quiet);
    if (morning > now) {
      verdicts.push({ kind: "later", until: morning, slotAt: null });
      continue;
    }
    const reserved = slotAt !== null && slotAt <= now && slotAt > now - slotLastsMs;
    if (!reserved) {
      const slot = Math.max(now, nextAt.get(domain) ?? 0);
      nextAt.set(domain, slot + gapMs);
      if (slot > now) {
        verdicts.push({ kind: "later", until: slot, slotAt: slot });
        continue;
      }
    }
    free--;
    verdicts.push({ kind: "claim" });
  }
  return verdicts;
}

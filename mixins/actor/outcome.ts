import type { Lane } from "../../config/names.ts";

/** What every item of a mailbox has, whatever else it is. A lead is one; so is a work item of `source`. */
export interface Item {
  leadId: string;
  tenant: string;
  revision: number;
  timeline: { stage: string; at: number; waitedMs: number; workedMs: number; outcome: string; attempt?: number }[];
}

/** Failed tries of one item at the stage where it is. */
export interface Tries {
  /** Tries that failed so far. */
  count: number;
  /** ms since 1970 */
  firstAt: number;
  lastAt: number;
  error: { type: string; message: string };
}

/** One item in hand. */
export interface Work<T extends Item> {
  lead: T;
  tenant: string;
  lane: Lane;
  /** 1 for the first try. */
  attempt: number;
  /** JetStream has delivered it before: effects may have happened already. */
  redelivered: boolean;
  requestId: string;
  traceparent: string;
  importId?: string;
}

/**
 * What a stage says of one item.
 * - `forward`: on to the next stage (the last stage's forward completes it).
 * - `complete`, `merge`, `reject`: the end of its way, recorded by the stage's checkpoint.
 * - `retry`: it failed. A retryable error burns a try and waits by the stage's policy; one with `retryable === false`
 *   goes to the dead letters at once.
 * - `drop`: its person was erased meanwhile: it goes no further, and nothing of it is recorded. The actor says so by itself.
 * - `wait`: nothing failed, its moment has not come (a quota, quiet hours): parked until `until`, burns no try.
 */
export type Outcome<T extends Item> =
  | { kind: "forward"; lead: T }
  | { kind: "complete"; lead: T; reason: string }
  | { kind: "merge"; lead: T; into: string }
  | { kind: "reject"; lead: T; reason: string }
  | { kind: "retry"; error: Error }
  | { kind: "wait"; until: number; reason: string }
  | { kind: "drop" };

/** A verdict that the record must know before the message is let go. */
export type Verdict<T extends Item> = Extract<Outcome<T>, { lead: T }>;

export const forward = <T extends Item>(lead: T): Outcome<T> => ({ kind: "forward", lead });
export const complete = <T extends Item>(lead: T, reason: string): Outcome<T> => ({ kind: "complete", lead, reason });
export const merge = <T extends Item>(lead: T, into: string): Outcome<T> => ({ kind: "merge", lead, into });
export const reject = <T extends Item>(lead: T, reason: string): Outcome<T> => ({ kind: "reject", lead, reason });
export const retry = (error: Error): Outcome<never> => ({ kind: "retry", error });
export const drop: Outcome<never> = { kind: "drop" };
export const wait = (until: number, reason: string): Outcome<never> => ({ kind: "wait", until, reason });

/** What is wrong with the outcome a handler gave for this lead; null for a good one. Handlers may be plain JavaScript. */
export function faultOf(outcome: Outcome<Item> | undefined, leadId: string): string | null {
  switch (outcome?.kind) {
    case "forward":
    case "complete":
    case "merge":
    case "reject":
      if (outcome.lead?.leadId !== leadId) return `${outcome.kind} of another lead (${outcome.lead?.leadId})`;
      return Array.isArray(outcome.lead.timeline) ? null : `${outcome.kind} of a lead without its timeline`;
    case "retry":
      return outcome.error instanceof Error ? null : "retry without an Error";
    case "wait":
      return Number.isFinite(outcome.until) ? null : `wait until ${outcome.until}`;
    // `drop` is the actor's own: a handler that says so would lose a lead.
    default:
      return `no outcome (${(outcome as { kind?: unknown } | undefined)?.kind})`;
  }
}

import { LeadsError } from "../errors.ts";

/**
 * Times that one effect is paid at the most in vain: for an answer that cannot be read, or that does not come while others
 * do. The next would hardly be another.
 */
export const mostRuns = 3;

/** What came of a call that was paid for in vain. */
type Vain = "unreadable" | "unanswered";
/**
 * Kept in the place of the last of them: a lead that comes again, for another provider's sake say, pays no further. Not
 * where no answer is kept: the work of a dead letter that is redriven goes on, when the provider can be read again.
 */
export const givenUp = (reason: Vain) => ({ [`$${reason}`]: true });

const vainWords: Record<Vain, string> = {
  unreadable: "answers in a form that is not known",
  unanswered: "answers others, and not this",
};

/** Why an effect was given up, by what is kept of it; undefined: it was not. */
export const givenUpFor = (answer: unknown): Vain | undefined =>
  (Object.keys(vainWords) as Vain[]).find(
    (reason) => (answer as Record<string, unknown> | null)?.[`$${reason}`] === true,
  );

/** `PROVIDER_REFUSED` for the last call that is paid for in vain, `OUTAGE` for those before it. */
export function inVain(name: string, reason: Vain, isLast: boolean): LeadsError {
  return new LeadsError(isLast ? "PROVIDER_REFUSED" : "OUTAGE", `${name} ${vainWords[reason]}`, {
    ...(isLast ? { provider: name } : { dependency: name }),
    reason,
  });
}

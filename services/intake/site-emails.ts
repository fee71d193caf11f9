import { isSharedDomain } from "./shared-domains.ts";

/** Mailboxes that nobody reads, or that are there for something else than what a stranger has to say to the business. */
const unwanted =
  /^(?:no-?reply|do-?not-?reply|postmaster|abuse|webmaster|hostmaster|privacy|legal|dmca|jobs|careers|press)\b/i;

/**
 * Of the addresses that a lead's site shows, those that it may be written to at: `own` stand at its own domain, `others`
 * elsewhere, each in the order given. Mailboxes that nobody reads are left out, and so is an address of the platform whose
 * page the site is. `domain`: the lead's.
 */
export function siteEmails(
  emails: readonly string[],
  domain: string | undefined,
): { own: readonly string[]; others: readonly string[] } {
  const usable = emails.filter((email) => !unwanted.test(email));
  const own = domain ? usable.filter((email) => isAt(email, domain.toLowerCase())) : [];
  const others = usable.filter((email) => !own.includes(email));
  return { own: domain && isSharedDomain(domain) ? [] : own, others };
}

export const hostOf = (email: string): string => email.slice(email.lastIndexOf("@") + 1).toLowerCase();

function isAt(email: string, domain: string): boolean {
  const host = hostOf(email);
  return host === domain || host.endsWith(`.${domain}`);
}

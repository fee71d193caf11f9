import { siteEmails } from "../intake/site-emails.ts";
import type { LeadFields, SiteFacts } from "../leads/lead.ts";

/** Mailboxes that a business reads, the most wanted first; all of them are a role's, not a person's. */
const wanted = ["info", "contact", "hello", "office", "mail", "sales", "enquiries", "inquiries", "admin", "support"];

/**
 * The address to write to, for a lead that came without one: of those on the site, one at the lead's own domain (a
 * general mailbox before a person's), else one that stands there alone. Nothing where it would be a guess: a page that
 * lists several foreign addresses may list its partners'.
 */
export function chooseEmail(fields: LeadFields, site: SiteFacts): Pick<LeadFields, "email" | "emailRole"> {
  if (fields.email !== undefined || site.status !== "ok") return {};
  const { own, others } = siteEmails(site.emails ?? [], fields.domain);
  const rank = (email: string) => (wanted.indexOf(email.split("@")[0]!) + wanted.length + 1) % (wanted.length + 1);
  const chosen = own.toSorted((a, b) => rank(a) - rank(b))[0] ?? (others.length === 1 ? others[0] : undefined);
  if (chosen === undefined) return {};
  return wanted.includes(chosen.split("@")[0]!) ? { email: chosen, emailRole: true } : { email: chosen };
}

import { isSharedDomain } from "../intake/shared-domains.ts";
import type { LeadFields, SiteFacts } from "../leads/lead.ts";

/** Mailboxes that a business reads, the most wanted first; all of them are a role's, not a person's. */
const wanted = ["info", "contact", "hello", "office", "mail", "sales", "enquiries", "inquiries", "admin", "support"];
const unwanted =
  /^(?:no-?reply|do-?not-?reply|postmaster|abuse|webmaster|hostmaster|privacy|legal|dmca|jobs|careers|press)\b/;

/**
 * The address to write to, for a lead that came without one: of those on the site, one at the lead's own domain (a
 * general mailbox before a person's), else one that stands there alone. Nothing where it would be a guess: a page that
 * lists several foreign addresses may list its partners'.
 */
export function chooseEmail(fields: LeadFields, site: SiteFacts): Pick<LeadFields, "email" | "emailRole"> {
  if (fields.email !== undefined || site.status !== "ok") return {};
  const usable = (site.emails ?? []).filter((email) => !unwanted.test(email));
  const { domain = "" } = fields;
  const atDomain = usable.filter((email) => domain !== "" && isOf(email, domain));
  // A platform's address is the platform's, wherever it stands.
  const own = isSharedDomain(domain) ? [] : atDomain;
  const others = usable.filter((email) => !atDomain.includes(email));
  const rank = (email: string) => (wanted.indexOf(email.split("@")[0]!) + wanted.length + 1) % (wanted.length + 1);
  const chosen = own.toSorted((a, b) => rank(a) - rank(b))[0] ?? (others.length === 1 ? others[0] : undefined);
  if (chosen === undefined) return {};
  return wanted.includes(chosen.split("@")[0]!) ? { email: chosen, emailRole: true } : { email: chosen };
}

function isOf(email: string, domain: string): boolean {
  const at = email.slice(email.lastIndexOf("@") + 1);
  return at === domain || at.endsWith(`.${domain}`);
}

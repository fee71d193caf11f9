import { createHash } from "node:crypto";
import { hostOf, siteEmails } from "../intake/site-emails.ts";
import type { Lead } from "../leads/lead.ts";

/** One address, and nothing that a mail header would read as more: no spaces, commas, brackets, quotes, line breaks. */
const plainAddress =
  /^[^\s\p{Cc}@<>()[\]\\,;:"]{1,64}@(?=.{4,253}$)(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+[\p{L}\p{N}-]{2,}$/u;

/** Where small businesses have their mail, so that such an address on a site is the business's own. */
const mailHosts = new Set(
  "gmail.com yahoo.com outlook.com hotmail.com live.com msn.com aol.com icloud.com me.com comcast.net att.net sbcglobal.net verizon.net protonmail.com proton.me gmx.net gmx.de web.de".split(
    " ",
  ),
);

/**
 * The address a lead is written to: the one its sources name, else one that its own web site shows. A disposable
 * address reaches nobody. Of the site's addresses only those of its own domain count, or the one that stands there alone
 * at a mail service: that at the foot of the page may be its web designer's, and of several one would be a guess.
 * Undefined where there is none.
 */
export function recipientOf({ fields, facts }: Lead): string | undefined {
  if (fields.email && !fields.emailDisposable && plainAddress.test(fields.email)) return fields.email;
  const shown = (facts.site?.emails ?? []).filter((email) => plainAddress.test(email));
  const { own, others } = siteEmails(shown, fields.domain);
  const atMailHosts = others.filter((email) => mailHosts.has(hostOf(email)));
  return own[0] ?? (atMailHosts.length === 1 ? atMailHosts[0] : undefined);
}

/** What a claim and a suppression know an address by: the SHA-256 of its lower-case form. */
export function addressHash(email: string): Buffer {
  return createHash("sha256").update(email.toLowerCase()).digest();
}

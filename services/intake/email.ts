import { domainToASCII } from "node:url";
import { disposableEmailBlocklistSet } from "disposable-email-domains-js";
import { limits } from "./limits.ts";
import { shown } from "./text.ts";

export interface Email {
  email: string;
  /** A role's address, not a person's. */
  role: boolean;
  disposable: boolean;
}

/** Dot-atom at a host name with at least two labels (RFC 5321 without quoted local parts, which no business uses). */
const shape =
  /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/;

const disposableDomains = disposableEmailBlocklistSet();

/** RFC 2142's mailbox names and what businesses use besides, without dots and dashes. */
const roles = new Set(
  `abuse accounting accounts admin administration administrator admissions ads advertising agent all appointments
  assist assistance auction billing book booking bookings business careers catering central chef classes clerk clinic
  club company compliance concierge connect contact contactus contacts corporate customercare customers
  customerservice customersupport delivery dev director directors dispatch donate donations donotreply editor
  education email employment enquiries enquiry enroll enrollment estimates events everyone eventos feedback finance
  franchise frontdesk ftp fundraising general giftcards groups guest guestservices head hello help helpdesk
  hi hiring home host hostmaster hotel hr info infos information inquiries inquiry institute intake investors
  invoice invoices it jobs kitchen kontakt learn legal list mail mailbox mailerdaemon main maintenance manager
  management managers marketing media meet members membership news newsletter noreply noc office officemanager
  online operations operator order orders owner owners parks partner partners partnerships party payments payroll
  people postmaster pr press principal privacy privateevents production programs promo promotions pub purchasing
  quotes reception receptionist recruiting recruitment registrar registration rentals reservation reservations
  reserve restaurant returns root sales schedule scheduling school secretary security service services shipping shop
  social spam sponsorship staff store studio subscribe support sysadmin talent taproom team tech techsupport tickets
  tours training travel trade undisclosed unsubscribe usenet uucp volunteer volunteers web webmaster welcome
  wholesale www`.split(/\s+/),
);

/** Is this the mailbox of a role? `info`, `Sales.Team+x`, `info2`. */
function isRole(local: string): boolean {
  const base = local.replace(/\+.*$/, "").replace(/[\d_-]+$/, "");
  return roles.has(base.replace(/[._-]/g, "")) || roles.has(base.split(/[._-]/)[0]!);
}

function isDisposable(domain: string): boolean {
  for (let at = 0; at >= 0; ) {
    if (disposableDomains.has(domain.slice(at))) return true;
    const dot = domain.indexOf(".", at);
    at = dot < 0 ? -1 : dot + 1;
  }
  return false;
}

/**
 * The first e-mail address in a text (`mailto:x`, `Name <x>`, several with commas), lower-case, its domain in ASCII;
 * or what is wrong.
 */
export function readEmail(text: string): Email | { fault: string } {
  for (const part of text.split(/[\s,;|<>()[\]"]+/)) {
    if (!part.includes("@")) continue;
    const address = part
      .replace(/^mailto:/i, "")
      .replace(/\?.*$/, "")
      .replace(/^[.'’:]+|[.'’:]+$/g, "")
      .toLowerCase();
    const at = address.lastIndexOf("@");
    const local = address.slice(0, at);
    const domain = domainToASCII(address.slice(at + 1)).replace(/\.$/, "");
    const email = `${local}@${domain}`;
    if (local.length > limits.emailLocal || email.length > limits.email || !shape.test(email)) continue;
    return { email, role: isRole(local), disposable: isDisposable(domain) };
  }
  return { fault: `${shown(text)} is not an e-mail address` };
}

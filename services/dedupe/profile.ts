import { isSharedDomain } from "../intake/shared-domains.ts";
import type { Lead, LeadFields } from "../leads/lead.ts";
import { nameWords, readStreet } from "./words.ts";

/**
 * What two leads are compared on: the fields of one telling, normalised. Empty text means that the telling does not say.
 * Always of a lead's own telling, never of what a merge has put together, or the order of merges would decide.
 */
export interface Profile {
  leadId: string;
  /** `source` and id there, for leads that a source has numbered. */
  sourceKey: string;
  /** Words of the name without legal form, in their order. */
  name: string[];
  /** House number, in digits (and its letter). */
  number: string;
  /** Words of the street without direction and type. */
  street: string[];
  /** `n`, `e`, `s`, `w` or two of them. */
  direction: string;
  unit: string;
  zip: string;
  city: string;
  /** E.164. */
  phone: string;
  email: string;
  /** Registrable domain of the site, or of the mailbox where no site is told; never one that many share. */
  domain: string;
}

export function profileOf(lead: Pick<Lead, "leadId" | "source" | "sourceId">, fields: LeadFields): Profile {
  const address = fields.address ?? {};
  const { number, street, direction, unit } = readStreet(address.street ?? "");
  const email = fields.email?.toLowerCase() ?? "";
  const site = fields.domain?.toLowerCase() || email.slice(email.indexOf("@") + 1);
  return {
    leadId: lead.leadId,
    sourceKey: lead.sourceId ? `${lead.source}\n${lead.sourceId}` : "",
    name: nameWords(fields.name),
    number,
    street,
    direction,
    unit: unit || (address.unit ? readStreet(`0 x unit ${address.unit}`).unit : ""),
    zip: address.zip?.toUpperCase().replace(/\s+/g, "") ?? "",
    city: nameWords(address.city ?? "").join(""),
    phone: fields.phone ?? "",
    email,
    domain: site !== "" && !isSharedDomain(site) ? site : "",
  };
}

/** What ties a lead to others on the web: its site's domain and its mailbox's, or its address where many share that. */
export function contactDomains({ domain, email }: Pick<Profile, "domain" | "email">): string[] {
  const mailbox = email.slice(email.indexOf("@") + 1);
  const mail = mailbox !== "" && isSharedDomain(mailbox) ? email : mailbox;
  return [...new Set([domain, mail])].filter((value) => value !== "");
}

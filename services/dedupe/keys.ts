import { hash } from "node:crypto";
import type { Address, Lead } from "../leads/lead.ts";
import { isSharedDomain } from "./shared-domains.ts";

/**
 * Exact matching keys. A key is compound, a contact and a second field that agrees, so that it belongs to one cluster
 * and no list of candidates is ever walked: twenty thousand businesses behind one call centre's phone have twenty
 * thousand different keys. Only the source's own key merges alone.
 */
export const keyKinds = {
  /** Of a lead that its source gave no id: the lead itself, so that its repeats meet as those of others do. */
  lead: 0,
  source: 1,
  phone_name: 2,
  phone_address: 3,
  email_name: 4,
  email_address: 5,
  domain_name: 6,
  domain_address: 7,
} as const;
export type KeyKind = keyof typeof keyKinds;

export interface MatchKey {
  kind: KeyKind;
  /** First 128 bits of SHA-256 over tenant, kind and the values, as a UUID in lower case. */
  value: string;
}

/** Words that say a business's legal form, and nothing of its name. */
const legalForms = new Set(
  (
    "inc incorporated llc llp lllp lp ltd limited co company corp corporation pc pllc plc nfp gmbh mbh ag kg ohg ug " +
    "ev sa sas sarl srl spa bv nv ab as oy aps pty pte"
  ).split(" "),
);

const streetTypes = new Set(
  (
    "street st str avenue ave av boulevard blvd road rd drive dr lane ln court ct place pl plaza plz square sq terrace ter " +
    "parkway pkwy highway hwy circle cir way trail trl pike expressway expy freeway fwy alley aly loop route rte"
  ).split(" "),
);

const directions = new Set(
  "north south east west northeast northwest southeast southwest n s e w ne nw se sw".split(" "),
);

/** What follows says where inside the building: not part of the address that must agree. */
const unitWords = new Set("suite ste unit apt apartment room rm floor fl bldg building".split(" "));

const ordinals: Record<string, string> = {
  first: "1",
  second: "2",
  third: "3",
  fourth: "4",
  fifth: "5",
  sixth: "6",
  seventh: "7",
  eighth: "8",
  ninth: "9",
  tenth: "10",
};

/** Words in lower case without accents; an apostrophe or a dot joins (`Lucy's`, `A.B.C.`), other punctuation parts. */
function wordsOf(text: string): string[] {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/ß/g, "ss")
    .replace(/&/g, " and ")
    .replace(/[\p{M}'’‘`´.]/gu, "")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

/**
 * A business's name as it must agree: no case, accents, punctuation, spaces, legal form at the end, or "the" at the
 * start; "saint" is "st". Empty where nothing is left to compare (a name of signs alone).
 */
export function normaliseName(name: string): string {
  const words = wordsOf(name);
  const start = words.length > 1 && words[0] === "the" ? 1 : 0;
  let end = words.length;
  while (end - start > 1 && legalForms.has(words[end - 1]!)) end--;
  return words
    .slice(start, end)
    .map((word) => (word === "saint" ? "st" : word))
    .join("");
}

/**
 * House number and street as they must agree, or empty where there is no house number or no street name: two sources
 * rarely agree on directions, on the type of a street ("27 W Washington St" is "27 Washington") and on the unit, and
 * beside an equal contact nothing more is needed.
 */
export function normaliseStreet(street: string | undefined): string {
  if (!street) return "";
  const words = wordsOf(street.replace(/#\s*[\w-]*/g, " "));
  const box = words.indexOf("box");
  if (box > 0 && /^p?o$/.test(words[box - 1]!) && words[box + 1]) return `box ${words[box + 1]}`;
  const at = words.findIndex((word) => /^\d/.test(word));
  if (at < 0) return "";
  const unit = words.findIndex((word, n) => n > at + 1 && unitWords.has(word));
  const rest = words.slice(at + 1, unit < 0 ? undefined : unit);
  // "Calle Mayor 5": where nothing follows the number, the street stands before it.
  const named = rest.length > 0 ? rest : words.slice(0, at);
  const core = named.filter((word) => !streetTypes.has(word) && !directions.has(word));
  // "12 North Ave", "5 Court St": a name made of such words alone is kept whole, without its type at the end.
  const kept = core.length > 0 ? core : named.length > 1 ? named.slice(0, -1) : named;
  if (kept.length === 0) return "";
  return `${words[at]} ${kept.map((word) => ordinals[word] ?? word.replace(/^(\d+)(?:st|nd|rd|th)$/, "$1")).join("")}`;
}

/** Where a street stands, for contacts that are shared between towns: the zip, or the city where there is none. */
function placeOf(address: Address | undefined): string {
  return address?.zip ?? wordsOf(address?.city ?? "").join("");
}

/**
 * The matching keys of a lead, in a fixed order, each once. The tenant is part of each: a value is unique over all.
 * The first one is the lead's identity: all its tellings and repeats have it.
 */
export function keysOf(lead: Pick<Lead, "leadId" | "tenant" | "source" | "sourceId" | "fields">): MatchKey[] {
  const { tenant, fields } = lead;
  const keys: MatchKey[] = [];
  const add = (kind: KeyKind, first: string, second: string) => {
    if (first === "" || second === "") return;
    keys.push({ kind, value: uuidOf(hash("sha256", `${tenant}\n${keyKinds[kind]}\n${first}\n${second}`)) });
  };
  const name = normaliseName(fields.name);
  const street = normaliseStreet(fields.address?.street);
  const email = fields.email?.toLowerCase() ?? "";
  const domain = fields.domain && !isSharedDomain(fields.domain) ? fields.domain.toLowerCase() : "";
  if (lead.sourceId) add("source", lead.source, lead.sourceId);
  else add("lead", "id", lead.leadId);
  add("phone_name", fields.phone ?? "", name);
  add("phone_address", fields.phone ?? "", street);
  add("email_name", email, name);
  add("email_address", email, street);
  add("domain_name", domain, name);
  // A chain's one site covers many towns, and many towns have a "100 Main Street".
  const place = placeOf(fields.address);
  add("domain_address", domain, street && place ? `${street}\n${place}` : "");
  return keys;
}

function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

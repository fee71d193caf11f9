import { hash } from "node:crypto";
import type { Profile } from "./profile.ts";
import { wordWeight } from "./words.ts";

/**
 * Blocking keys: leads that share one are compared, others never. Each kind finds what another misses: a slip in the
 * number or the street, another phone, no address. A key that more leads share than {@link keyBound} is not walked any
 * more; most of those leads still meet at a narrower key, which is why every contact has a second key with the name.
 */
export const keyKinds = {
  /** Of a lead that its source gave no id: the lead itself, so that its repeats meet as those of others do. */
  lead: 0,
  source: 1,
  phone: 10,
  phone_name: 11,
  email: 12,
  email_name: 13,
  domain: 14,
  address: 15,
  address_zip: 16,
  word_number: 17,
  name: 18,
  name_place: 19,
} as const;
export type KeyKind = keyof typeof keyKinds;

/** Kinds that are one lead's own identity: they are never too many, and every lead has one. */
export const identityKinds = 1;

/**
 * Most leads that a key is walked for. Twice as many found no further double in the lists that were measured, and cost
 * half as much again where a phone has many leads.
 */
export const keyBound = 64;

export interface MatchKey {
  kind: KeyKind;
  /** First 128 bits of SHA-256 over tenant, kind and the values, as a UUID in lower case. */
  value: string;
  /** Of a phone's, e-mail address's or domain's key: that contact. */
  contact?: string;
}

/**
 * The keys of a lead, in a fixed order, each once. The tenant is part of each: a value is unique over all. The first one
 * is the lead's identity: all its tellings and repeats have it.
 */
export function keysOf(tenant: string, profile: Profile): MatchKey[] {
  const keys: MatchKey[] = [];
  const add = (kind: KeyKind, parts: readonly string[], contact?: string) => {
    if (parts.includes("")) return;
    const value = uuidOf(hash("sha256", [tenant, keyKinds[kind], ...parts].join("\n")));
    keys.push(contact === undefined ? { kind, value } : { kind, value, contact });
  };
  const { phone, email, domain, number, zip, city } = profile;
  // Sorted, as lists put the words of a name in different orders.
  const name = [...profile.name].sort().join("");
  const street = start(profile.street.join(""));
  if (profile.sourceKey !== "") add("source", [profile.sourceKey]);
  else add("lead", [profile.leadId]);
  add("phone", [phone], phone);
  add("phone_name", [phone, name]);
  add("email", [email], email);
  add("email_name", [email, name]);
  add("domain", [domain], domain);
  add("address", [number, street]);
  add("address_zip", [number, street, zip]);
  for (const word of rarestWords(profile.name)) add("word_number", [start(word), number]);
  add("name", [name]);
  add("name_place", [name, zip || city]);
  return keys;
}

/** Slips are rare at the start of a word (Pollock & Zamora 1984), so that its start finds most of them. */
const start = (word: string) => word.slice(0, 5);

/** The two longest rare words, or the longest two of all where none is rare; the longer a word, the rarer it is. */
function rarestWords(words: readonly string[]): string[] {
  const rare = words.filter((word) => wordWeight(word) === 1);
  return (rare.length > 0 ? rare : [...words])
    .sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
    .slice(0, 2)
    .sort();
}

function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

import { hash } from "node:crypto";
import { contactDomains, type Profile } from "./profile.ts";
import { wordWeight } from "./words.ts";

/**
 * Blocking keys: leads that share one are compared, others never. Each kind finds what another misses: a slip in the
 * number or the street, another phone, no address.
 *
 * A key is one number of 64 bits: 40 of what the leads share, 24 of what tells apart those who share too much. So all
 * who have a phone are one range of the index, and those of one name among them a point in it: a key that more than
 * {@link keyBound} leads share is walked by the point instead, at no further row. Five keys a lead find what eleven
 * did, which had the narrow ones as keys of their own, the e-mail address beside its domain, and a second word
 * (Chicago: blocking recall 0.972 instead of 0.973, the same F1 to three digits).
 */
export const keyKinds = {
  /** Narrowed by the name. */
  phone: 1,
  /** The site's domain and the mailbox's, or the whole address at a mail service; narrowed by the name. */
  web: 2,
  /** House number and start of the street, narrowed by the zip. */
  address: 3,
  /** House number and start of the rarest word of the name, narrowed by the zip. */
  word: 4,
  /** Narrowed by the zip, or the city. */
  name: 5,
} as const;
export type KeyKind = keyof typeof keyKinds;

/**
 * Most leads that a key is walked for. Twice as many found no further double in the lists that were measured, and cost
 * half as much again where a phone has many leads.
 */
export const keyBound = 64;

export interface MatchKey {
  kind: KeyKind;
  /** A signed 64-bit number, in decimal: `low` and what narrows it. */
  value: string;
  /** The first and the last number of all who share the key. */
  low: string;
  high: string;
  /** Of a phone's or domain's key: what of this lead says little where too many share the key. */
  contacts: readonly string[];
}

/**
 * The keys of a lead, in a fixed order, each once. The tenant is part of each: leads of two tenants share none, but by a
 * chance of 2^-40 that the look at the leads, which names the tenant, makes harmless.
 */
export function keysOf(tenant: string, profile: Profile): MatchKey[] {
  const keys = new Map<string, MatchKey>();
  const add = (kind: KeyKind, shared: readonly string[], narrow: bigint, contacts: readonly string[] = []) => {
    if (shared.includes("")) return;
    const low = digest([tenant, keyKinds[kind], ...shared].join("\n")) & ~narrowed;
    const value = `${low | narrow}`;
    keys.set(value, { kind, value, low: `${low}`, high: `${low | narrowed}`, contacts });
  };
  const { phone, email, number, zip, city } = profile;
  // Sorted, as lists put the words of a name in different orders.
  const name = [...profile.name].sort().join("");
  const [byName, byZip] = [digest(name) & narrowed, digest(zip) & narrowed];
  add("phone", [phone], byName, [phone]);
  for (const domain of contactDomains(profile)) {
    add("web", [domain], byName, email.endsWith(domain) ? [domain, email] : [domain]);
  }
  add("address", [number, start(profile.street.join(""))], byZip);
  add("word", [number, start(rarestWord(profile.name))], byZip);
  add("name", [name], zip === "" ? digest(city) & narrowed : byZip);
  return [...keys.values()];
}

const narrowed = 0xffffffn;

const digest = (text: string) => hash("sha256", text, "buffer").readBigInt64BE();

/** Slips are rare at the start of a word (Pollock & Zamora 1984), so that its start finds most of them. */
const start = (word: string) => word.slice(0, 5);

/** The longest rare word, or the longest of all where none is rare; the longer a word, the rarer it is. */
function rarestWord(words: readonly string[]): string {
  const rare = words.filter((word) => wordWeight(word) === 1);
  return [...(rare.length > 0 ? rare : words)].sort((a, b) => b.length - a.length || (a < b ? -1 : 1))[0] ?? "";
}

import { type Comparison, compare } from "./compare.ts";
import type { Link } from "./decide.ts";
import { keyBound, type MatchKey } from "./keys.ts";
import type { Profile } from "./profile.ts";
import { levels } from "./weights.ts";

/** A range of keys, and the leads of the batch that have one in it. */
export interface Claim {
  tenant: string;
  low: string;
  high: string;
  contacts: readonly string[];
  claimants: string[];
}

/** A range that is walked: those of the batch, and all who have a key in it. */
export interface Block {
  claimants: readonly string[];
  members: ReadonlySet<string>;
}

/** A lead of the batch, with its keys. */
export interface Keyed {
  lead: { tenant: string; leadId: string };
  keys: readonly MatchKey[];
}

/** What a batch looks for first: all who share a key. */
export function wideClaims(leads: readonly Keyed[]): Claim[] {
  return claims(leads, ({ low, high }) => ({ low, high }));
}

/** What it looks for where that is too many: those who share what narrows the key, too. */
export function narrowClaims(leads: readonly Keyed[], full: readonly Claim[]): Claim[] {
  const lows = new Set(full.map(({ low }) => low));
  return claims(leads, ({ low, value }) => (lows.has(low) ? { low: value, high: value } : null));
}

function claims(leads: readonly Keyed[], rangeOf: (key: MatchKey) => { low: string; high: string } | null): Claim[] {
  const byLow = new Map<string, Claim>();
  for (const { lead, keys } of leads) {
    for (const key of keys) {
      const range = rangeOf(key);
      if (!range) continue;
      const claim = byLow.get(range.low);
      if (!claim)
        byLow.set(range.low, { tenant: lead.tenant, ...range, contacts: key.contacts, claimants: [lead.leadId] });
      else {
        claim.contacts = [...new Set([...claim.contacts, ...key.contacts])];
        if (!claim.claimants.includes(lead.leadId)) claim.claimants.push(lead.leadId);
      }
    }
  }
  return [...byLow.values()];
}

/** Which ranges are walked, and which are full. `membersOf`: up to one more than are walked, in any order. */
export function walk(
  looked: readonly Claim[],
  membersOf: (claim: Claim) => ReadonlySet<string>,
): { blocks: Block[]; full: Claim[] } {
  const blocks: Block[] = [];
  const full: Claim[] = [];
  for (const claim of looked) {
    const members = membersOf(claim);
    if (members.size > keyBound) full.push(claim);
    else blocks.push({ claimants: claim.claimants, members });
  }
  return { blocks, full };
}

/** Contacts, by tenant, that so many leads have that they say little. */
export function crowdedContacts(full: readonly Claim[]): ReadonlyMap<string, ReadonlySet<string>> {
  const crowded = new Map<string, Set<string>>();
  for (const { tenant, contacts } of full) {
    const known = crowded.get(tenant) ?? new Set();
    for (const contact of contacts) known.add(contact);
    crowded.set(tenant, known);
  }
  return crowded;
}

/** Every pair of a claimant with another lead of its block, once over all blocks, smaller id first. */
export function candidatePairs(blocks: Iterable<Block>): [string, string][] {
  const seen = new Map<string, Set<string>>();
  const pairs: [string, string][] = [];
  for (const { claimants, members } of blocks) {
    for (const a of claimants) {
      for (const b of members) {
        if (a === b) continue;
        const [low, high] = a < b ? [a, b] : [b, a];
        const partners = seen.get(low) ?? new Set();
        seen.set(low, partners);
        if (partners.has(high)) continue;
        partners.add(high);
        pairs.push([low, high]);
      }
    }
  }
  return pairs;
}

export interface Compared {
  a: string;
  b: string;
  comparison: Comparison;
}

/** Compares pairs of which both leads are known. */
export function comparePairs(
  pairs: readonly [string, string][],
  profiles: ReadonlyMap<string, Profile>,
  /** Contacts that many leads of the pair's tenant share. */
  crowdedOf: (a: string, b: string) => ReadonlySet<string>,
): Compared[] {
  const compared: Compared[] = [];
  for (const [a, b] of pairs) {
    const [x, y] = [profiles.get(a), profiles.get(b)];
    if (x && y) compared.push({ a, b, comparison: compare(x, y, crowdedOf(a, b)) });
  }
  return compared;
}

/** A pair as a link: the ground of a merge is booked by the names of what speaks for it. */
export function linkOf(pair: Compared): Link & { pair: Compared } {
  const { a, b, comparison } = pair;
  const kinds = comparison.evidence.filter(({ level }) => levels[level].weight > 0).map(({ level }) => level);
  return { a, b, kinds, weight: comparison.weight, pair };
}

import { type Comparison, compare } from "./compare.ts";
import type { Link } from "./decide.ts";
import { keyBound } from "./keys.ts";
import type { Profile } from "./profile.ts";
import { levels } from "./weights.ts";

/** A key, as far as it is walked: who claims it now, and who has it on record. */
export interface Block {
  claimants: readonly string[];
  members: readonly string[];
}

/** Is a key with so many leads still walked? */
export function isWalked({ claimants, members }: Block): boolean {
  return new Set([...claimants, ...members]).size <= keyBound;
}

/** Every pair of a claimant with another lead of its block, once over all blocks, smaller id first. */
export function candidatePairs(blocks: Iterable<Block>): [string, string][] {
  const seen = new Map<string, Set<string>>();
  const pairs: [string, string][] = [];
  for (const { claimants, members } of blocks) {
    const all = new Set([...members, ...claimants]);
    for (const a of claimants) {
      for (const b of all) {
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

/** A pair's link for each level that speaks for it: the ground of a merge is booked by their names. */
export function linksOf({ a, b, comparison }: Compared): Link[] {
  return comparison.evidence
    .filter(({ level }) => levels[level].weight > 0)
    .map(({ level }) => ({ a, b, kind: level }));
}

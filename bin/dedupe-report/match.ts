import { keyBound, keysOf, type MatchKey } from "../../services/dedupe/keys.ts";
import {
  type Compared,
  candidatePairs,
  comparePairs,
  crowdedContacts,
  narrowClaims,
  walk,
  wideClaims,
} from "../../services/dedupe/pairs.ts";
import { latestById } from "../../services/dedupe/party.ts";
import { type Profile, profileOf } from "../../services/dedupe/profile.ts";
import type { Lead } from "../../services/leads/lead.ts";

/** As the stage takes them. */
const batchLeads = 100;
const nobody: ReadonlySet<string> = new Set();

/**
 * Every pair that the mesh would compare, with its evidence: the keys, bounds and comparison of services/dedupe, with
 * maps in the place of the table `lead_keys`.
 */
export function matchAll(leads: readonly Lead[]): Compared[] {
  const profiles = new Map<string, Profile>();
  const members = new Map<string, Set<string>>();
  const join = (range: string, leadId: string) => {
    const set = members.get(range) ?? new Set();
    if (set.size <= keyBound) members.set(range, set.add(leadId));
  };
  const rangeOf = ({ low, high }: Pick<MatchKey, "low" | "high">) => `${low} ${high}`;
  const compared = new Map<string, Compared>();
  for (let from = 0; from < leads.length; from += batchLeads) {
    const batch = latestById(leads.slice(from, from + batchLeads)).map((lead) => {
      const profile = profileOf(lead, lead.fields);
      profiles.set(lead.leadId, profile);
      return { lead, keys: keysOf(lead.tenant, profile) };
    });
    for (const { lead, keys } of batch) {
      for (const key of keys) {
        join(rangeOf(key), lead.leadId);
        join(rangeOf({ low: key.value, high: key.value }), lead.leadId);
      }
    }
    const membersOf = (range: Pick<MatchKey, "low" | "high">) => members.get(rangeOf(range)) ?? nobody;
    const wide = walk(wideClaims(batch), membersOf);
    const narrow = walk(narrowClaims(batch, wide.full), membersOf);
    const crowded = crowdedContacts(wide.full).get(batch[0]!.lead.tenant) ?? nobody;
    const pairs = candidatePairs([...wide.blocks, ...narrow.blocks]);
    for (const pair of comparePairs(pairs, profiles, () => crowded)) compared.set(`${pair.a} ${pair.b}`, pair);
  }
  return [...compared.values()];
}

import { type Compared, candidatePairs, comparePairs, isWalked } from "../../services/dedupe/pairs.ts";
import { claimKeys, latestById, otherBound } from "../../services/dedupe/party.ts";
import { type Profile, profileOf } from "../../services/dedupe/profile.ts";
import type { Lead } from "../../services/leads/lead.ts";

/** As the stage takes them. */
const batchLeads = 250;

/**
 * Every pair that the mesh would compare, with its evidence: the keys, bounds and comparison of services/dedupe, with a
 * map in the place of the table `lead_keys`.
 */
export function matchAll(leads: readonly Lead[]): Compared[] {
  const profiles = new Map<string, Profile>();
  const keys = new Map<string, string[]>();
  const compared = new Map<string, Compared>();
  for (let from = 0; from < leads.length; from += batchLeads) {
    const tellings = latestById(leads.slice(from, from + batchLeads));
    for (const lead of tellings) profiles.set(lead.leadId, profileOf(lead, lead.fields));
    const crowded = new Set<string>();
    const blocks = claimKeys(tellings, profiles).flatMap(({ value, claimants, contact }) => {
      const members = keys.get(value) ?? [];
      const block = { claimants, members };
      if (members.length <= otherBound)
        keys.set(value, [...new Set([...members, ...claimants])].slice(0, otherBound + 1));
      const walked = members.length <= otherBound && isWalked(block);
      if (!walked && contact !== undefined) crowded.add(contact);
      return walked ? [block] : [];
    });
    for (const pair of comparePairs(candidatePairs(blocks), profiles, () => crowded))
      compared.set(`${pair.a} ${pair.b}`, pair);
  }
  return [...compared.values()];
}

import type { Knex } from "knex";
import type { Lead } from "../leads/lead.ts";
import type { Link } from "./decide.ts";
import { insertKeys, lockKeys, readKnown, writeOthers } from "./dedupe.sql.ts";
import { identityKinds } from "./keys.ts";
import { type Block, candidatePairs, comparePairs, isWalked, linksOf } from "./pairs.ts";
import { type ClaimedKey, claimKeys, idle, type Known, otherBound } from "./party.ts";
import { type Profile, profileOf } from "./profile.ts";
import { verdictOf } from "./verdict.ts";

/**
 * How a batch meets what is known: its leads take their blocking keys, and each is compared with every lead that shares
 * one, on record or in the batch.
 *
 *   insert new keys -> lock those that were there -> join them -> read their leads -> compare
 *
 * What is compared is each lead's own telling, so that what has been merged before decides nothing, and the clusters are
 * the same whatever the order (but for keys that grow full on the way).
 */

export interface Meeting {
  keys: ClaimedKey[];
  /** Between leads that are the same: of the batch, or on record and taking part. */
  links: Link[];
  /** Leads that were looked at without a lock: candidates, and leads of the batch that are on record. */
  nodes: Map<string, Known>;
  /** Those of the batch among `nodes`. */
  again: string[];
}

export async function meet(trx: Knex.Transaction, tellings: readonly Lead[]): Promise<Meeting> {
  const profiles = new Map<string, Profile>(tellings.map((lead) => [lead.leadId, profileOf(lead, lead.fields)]));
  const keys = claimKeys(tellings, profiles);
  const takenValues = new Set(await insertKeys(trx, keys));
  const taken = keys.filter((key) => takenValues.has(key.value));
  const blocks = await joinKeys(trx, keys, taken);
  const pairs = candidatePairs(blocks.values());

  const again = [...new Set(taken.flatMap((key) => key.claimants))].sort();
  const batch = new Map(tellings.map((lead) => [lead.leadId, lead]));
  const wanted = new Map<string, { tenant: string; leadId: string }>();
  for (const leadId of again) wanted.set(leadId, batch.get(leadId)!);
  for (const [a, b] of pairs) {
    const tenant = (batch.get(a) ?? batch.get(b)!).tenant;
    for (const leadId of [a, b]) if (!batch.has(leadId)) wanted.set(leadId, { tenant, leadId });
  }
  const nodes = new Map<string, Known>();
  if (wanted.size > 0) for (const row of await readKnown(trx, [...wanted.values()])) nodes.set(row.leadId, row);
  for (const { leadId, state, source, sourceId, told } of nodes.values()) {
    if (batch.has(leadId) || idle.has(state)) continue;
    profiles.set(leadId, profileOf({ leadId, source, ...(sourceId !== null && { sourceId }) }, told));
  }
  const crowded = crowdedContacts(keys, blocks);
  const none: ReadonlySet<string> = new Set();
  const crowdedOf = (a: string, b: string) => crowded.get((batch.get(a) ?? batch.get(b)!).tenant) ?? none;
  const same = comparePairs(pairs, profiles, crowdedOf).filter(({ comparison }) => verdictOf(comparison) === "same");
  return { keys, links: same.flatMap(linksOf), nodes, again: again.filter((leadId) => nodes.has(leadId)) };
}

/** Joins the keys that were there and have room; returns the keys that are walked, by value. */
async function joinKeys(
  trx: Knex.Transaction,
  keys: readonly ClaimedKey[],
  taken: readonly ClaimedKey[],
): Promise<Map<string, Block>> {
  const locked = new Map<string, { leadId: string; others: string[] }>();
  if (taken.length > 0) {
    for (const row of await lockKeys(trx, taken, { identityKinds, others: otherBound })) locked.set(row.value, row);
  }
  const takenValues = new Set(taken.map((key) => key.value));
  const grown: ClaimedKey[] = [];
  const blocks = new Map<string, Block>();
  for (const key of keys) {
    const row = locked.get(key.value);
    if (takenValues.has(key.value) && !row) continue;
    const members = row ? [row.leadId, ...row.others] : [];
    const block = { claimants: key.claimants, members };
    if (isWalked(block)) blocks.set(key.value, block);
    const joining = row ? key.claimants.filter((leadId) => !members.includes(leadId)) : [];
    if (joining.length > 0) grown.push({ ...key, others: [...row!.others, ...joining].slice(0, otherBound) });
  }
  if (grown.length > 0) await writeOthers(trx, grown);
  return blocks;
}

/** Contacts, by tenant, whose keys are not walked any more: so many leads have them that they say little. */
function crowdedContacts(
  keys: readonly ClaimedKey[],
  blocks: ReadonlyMap<string, Block>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const crowded = new Map<string, Set<string>>();
  for (const { contact, tenant, value } of keys) {
    if (contact === undefined || blocks.has(value)) continue;
    const contacts = crowded.get(tenant);
    if (contacts) contacts.add(contact);
    else crowded.set(tenant, new Set([contact]));
  }
  return crowded;
}

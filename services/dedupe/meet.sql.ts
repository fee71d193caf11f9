import type { Knex } from "knex";
import type { Arrived } from "./arrive.sql.ts";
import { findMembers, readKnown } from "./dedupe.sql.ts";
import {
  type Claim,
  type Compared,
  candidatePairs,
  comparePairs,
  crowdedContacts,
  narrowClaims,
  walk,
  wideClaims,
} from "./pairs.ts";
import { type Known, takesPart } from "./party.ts";
import { type Profile, profileOf } from "./profile.ts";

/**
 * How a batch meets what is known: each of its leads is compared with every lead that shares a key, on record before or
 * in the batch.
 *
 *   look for who shares a key -> narrower where that is too many -> read them -> compare
 *
 * What is compared is each lead's own telling, so that what has been merged before decides nothing, and the clusters are
 * the same whatever the order (but for keys that grow full on the way).
 */

export interface Meeting {
  /** Pairs of leads that both take part, with what speaks for them and against. */
  compared: Compared[];
  /** Leads that were looked at without a lock: of the pairs, and those of the batch that were on record before. */
  nodes: Map<string, Known>;
}

const nobody: ReadonlySet<string> = new Set();

export async function meet(trx: Knex.Transaction, arrived: readonly Arrived[]): Promise<Meeting> {
  const looking = arrived.filter(({ arrival }) => takesPart(arrival));
  const wide = await lookFor(trx, wideClaims(looking));
  const narrow = await lookFor(trx, narrowClaims(looking, wide.full));
  const pairs = candidatePairs([...wide.blocks, ...narrow.blocks]);

  const batch = new Map(arrived.map((one) => [one.lead.leadId, one]));
  const tenantOf = (a: string, b: string) => (batch.get(a) ?? batch.get(b)!).lead.tenant;
  const wanted = new Map<string, { tenant: string; leadId: string }>();
  for (const { lead, arrival } of arrived) if (arrival.change !== "new") wanted.set(lead.leadId, lead);
  for (const [a, b] of pairs) for (const leadId of [a, b]) wanted.set(leadId, { tenant: tenantOf(a, b), leadId });
  const nodes = new Map<string, Known>();
  const profiles = new Map<string, Profile>();
  if (wanted.size > 0) for (const row of await readKnown(trx, [...wanted.values()])) nodes.set(row.leadId, row);
  for (const node of nodes.values()) {
    if (!takesPart(node)) continue;
    const { leadId, source, sourceId, told } = node;
    // A repeat of an older telling is compared by the later one.
    const ours = batch.get(leadId);
    if (ours && ours.arrival.change !== "unchanged") profiles.set(leadId, ours.profile);
    else profiles.set(leadId, profileOf({ leadId, source, ...(sourceId !== null && { sourceId }) }, told));
  }
  const crowded = crowdedContacts(wide.full);
  return { compared: comparePairs(pairs, profiles, (a, b) => crowded.get(tenantOf(a, b)) ?? nobody), nodes };
}

async function lookFor(trx: Knex.Transaction, claims: readonly Claim[]): Promise<ReturnType<typeof walk>> {
  if (claims.length === 0) return { blocks: [], full: [] };
  const found = new Map(claims.map(({ low, claimants }) => [low, new Set(claimants)]));
  const ranges = claims.map(({ low, high, claimants }) => ({
    low,
    high,
    claimant: claimants.length === 1 ? claimants[0]! : null,
  }));
  for (const { low, leadId } of await findMembers(trx, ranges)) found.get(low)!.add(leadId);
  return walk(claims, ({ low }) => found.get(low)!);
}

import type { Lead, LeadFields, LeadState } from "../leads/lead.ts";
import { type Link, type Member, Sets } from "./decide.ts";
import { keyBound, keyKinds, keysOf } from "./keys.ts";
import type { Profile } from "./profile.ts";
import { allFrom, type Origins, provenanceOf, retold, type Told, toldBy } from "./survivorship.ts";

/**
 * What the dedupe transaction handles, and how it gets from rows and tellings to what {@link decide} decides on. Pure.
 */

/** A key and the leads of the batch that claim it. */
export interface Claim {
  kind: number;
  value: string;
  tenant: string;
  /** The first claimant: it brings the key where that is new. */
  leadId: string;
  /** The other claimants, as many as a key holds. */
  others: readonly string[];
}

export interface ClaimedKey extends Claim {
  claimants: string[];
  /** Of a phone's, e-mail address's or domain's key: that contact. */
  contact: string | undefined;
}

/** A lead as it stood when it was looked at without a lock. */
export interface Known {
  tenant: string;
  leadId: string;
  state: LeadState;
  mergedInto: string | null;
  source: string;
  sourceId: string | null;
  /** What it told itself last, whatever merges have made of it. */
  told: LeadFields;
}

/** A lead as it stands, locked. */
export interface Locked {
  tenant: string;
  leadId: string;
  state: LeadState;
  reason: string | null;
  mergedInto: string | null;
  revision: number;
  trust: number;
  source: string;
  fields: LeadFields;
  provenance: Origins;
  acceptedAt: number;
}

export interface Identity {
  tenant: string;
  leadId: string;
  fields: LeadFields;
  provenance: Origins;
}

/** What a merge overwrites of a lead; enough to undo it. */
export interface Before {
  state: LeadState;
  reason: string | null;
  fields: LeadFields;
  provenance: Origins;
  /** Of a loser: the leads that were merged into it, and now are into its winner. */
  children?: string[];
}

export interface Merge {
  tenant: string;
  winner: string;
  loser: string;
  /** Levels of services/dedupe/weights.ts that spoke for it. */
  evidence: { agree: string[] };
  winner_before: Before;
  loser_before: Before;
}

/** States of a row that neither wins nor loses. */
export const idle: ReadonlySet<LeadState | null> = new Set(["rejected", "dead", "discarded", "erased", null]);

/** A lead that takes part, as it stands with what this batch tells of it. */
export interface Party extends Member {
  tenant: string;
  told: Told;
  /** Revision of its own telling, and what the record holds of it by now. */
  revision: number;
  state: LeadState;
  reason: string | null;
  recorded: Told;
}

/** Of several tellings of one lead in a batch the last one; sorted by id, as all locks are. */
export function latestById(leads: readonly Lead[]): Lead[] {
  const byId = new Map<string, Lead>();
  for (const lead of leads) {
    const other = byId.get(lead.leadId);
    const later =
      !other ||
      lead.revision > other.revision ||
      (lead.revision === other.revision && lead.timeline.length >= other.timeline.length);
    if (later) byId.set(lead.leadId, lead);
  }
  return [...byId.values()].sort((a, b) => (a.leadId < b.leadId ? -1 : 1));
}

/** How many leads a key holds besides the first. */
export const otherBound = keyBound - 1;

/** The keys of a batch, each once, sorted by value. */
export function claimKeys(tellings: readonly Lead[], profiles: ReadonlyMap<string, Profile>): ClaimedKey[] {
  const byValue = new Map<string, ClaimedKey>();
  for (const { leadId, tenant } of tellings) {
    for (const { kind, value, contact } of keysOf(tenant, profiles.get(leadId)!)) {
      const key = byValue.get(value);
      if (key) {
        if (!key.claimants.includes(leadId)) key.claimants.push(leadId);
      } else
        byValue.set(value, { kind: keyKinds[kind], value, tenant, leadId, claimants: [leadId], others: [], contact });
    }
  }
  for (const key of byValue.values()) {
    if (key.claimants.length > 1) key.others = key.claimants.slice(1, keyBound);
  }
  return [...byValue.values()].sort((a, b) => (a.value < b.value ? -1 : 1));
}

/** Winners that are tied to another winner by this batch: they may lose, and what was merged into them moves. */
export function bridgedRoots(links: readonly Link[], nodes: ReadonlyMap<string, Known>): string[] {
  const sets = new Sets();
  const roots = new Set<string>();
  const rootOf = (leadId: string) => nodes.get(leadId)?.mergedInto ?? leadId;
  for (const { a, b } of links) {
    for (const leadId of [a, b]) if (nodes.has(leadId)) roots.add(rootOf(leadId));
    sets.join(rootOf(a), rootOf(b));
  }
  const bySet = Map.groupBy(roots, (root) => sets.find(root));
  return [...bySet.values()].filter((group) => group.length > 1).flat();
}

export function partyOf(lead: Lead, change: "new" | "updated" | "unchanged", row: Locked | undefined): Party {
  const telling = toldBy(lead);
  const base = { leadId: lead.leadId, tenant: lead.tenant, state: "in_progress" as LeadState, reason: null };
  if (!row)
    return {
      ...base,
      standing: "arrived",
      acceptedAt: lead.revision,
      told: telling,
      recorded: telling,
      revision: lead.revision,
    };
  if (change === "unchanged") return partyOfRow(row);
  // The arrival has written this telling's fields whole; what the row had from others competes with them again.
  const alone = Object.keys(row.provenance).length === 0;
  return {
    ...base,
    standing: row.state === "completed" ? "ended" : "under_way",
    acceptedAt: row.acceptedAt,
    told: alone ? telling : retold(toldOfRow(row), telling, lead.leadId),
    recorded: telling,
    revision: lead.revision,
  };
}

export function partyOfRow(row: Locked): Party {
  const { leadId, tenant, acceptedAt, revision, state, reason } = row;
  const told = toldOfRow(row);
  const standing = state === "completed" ? "ended" : "under_way";
  return { leadId, tenant, acceptedAt, revision, state, reason, standing, told, recorded: told };
}

function toldOfRow({ leadId, fields, provenance, trust, source, revision }: Locked): Told {
  if (Object.keys(provenance).length > 0) return { fields, origins: provenance };
  return allFrom(fields, { trust, source, leadId, revision });
}

/** The links between those that leads stand for; of leads that take no part there are none. */
export function liveLinks(
  links: readonly Link[],
  /** The winner that a lead stands for, itself perhaps; null when that takes no part. */
  liveRootOf: (leadId: string) => string | null,
): Link[] {
  const live: Link[] = [];
  for (const { a, b, kind } of links) {
    const [x, y] = [liveRootOf(a), liveRootOf(b)];
    if (x !== null && y !== null && x !== y) live.push({ a: x, b: y, kind });
  }
  return live;
}

export function before({ state, reason, told, leadId, revision }: Party) {
  return { state, reason, fields: told.fields, provenance: provenanceOf(told, { leadId, revision }) };
}

export function childrenOf(leadId: string, locked: ReadonlyMap<string, Locked>): string[] {
  return [...locked.values()].filter((row) => row.mergedInto === leadId).map((row) => row.leadId);
}

/** Leads whose row does not hold what is told of them. */
export function changedIdentities(parties: Iterable<Party>): Identity[] {
  const changed: Identity[] = [];
  for (const { leadId, tenant, revision, told, recorded } of parties) {
    if (told === recorded) continue;
    changed.push({ tenant, leadId, fields: told.fields, provenance: provenanceOf(told, { leadId, revision }) });
  }
  return changed;
}

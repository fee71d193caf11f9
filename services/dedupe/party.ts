import type { Lead, LeadFields, LeadState } from "../leads/lead.ts";
import { type Link, type Member, Sets } from "./decide.ts";
import { type KeyKind, keyKinds, keysOf } from "./keys.ts";
import { allFrom, type Origins, provenanceOf, retold, type Told, toldBy } from "./survivorship.ts";

/**
 * What the dedupe transaction handles, and how it gets from rows and tellings to what {@link decide} decides on. Pure.
 */

/** A key and the lead of the batch that claims it. */
export interface Claim {
  kind: number;
  value: string;
  tenant: string;
  leadId: string;
}

export interface ClaimedKey extends Claim {
  kindName: KeyKind;
  claimants: string[];
}

/** A lead as it stood when it was looked at without a lock. */
export interface Known {
  /** The key that it owns, or null where it was asked for by id. */
  value: string | null;
  tenant: string;
  leadId: string;
  /** null: the key's owner is not on record. */
  state: LeadState | null;
  mergedInto: string | null;
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

/** Ended leads: of a key that one of these owns nobody is a double. */
export interface Takeover {
  kind: number;
  value: string;
  tenant: string;
  from: string;
  to: string;
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
  evidence: { keys: string[] };
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

/** The keys of a batch, each once, sorted by value. The first claimant will own what is new. */
export function claimKeys(tellings: readonly Lead[]): ClaimedKey[] {
  const byValue = new Map<string, ClaimedKey>();
  for (const lead of tellings) {
    for (const { kind, value } of keysOf(lead)) {
      const key = byValue.get(value);
      if (key) key.claimants.push(lead.leadId);
      else {
        const { leadId, tenant } = lead;
        byValue.set(value, { kind: keyKinds[kind], kindName: kind, value, tenant, leadId, claimants: [leadId] });
      }
    }
  }
  return [...byValue.values()].sort((a, b) => (a.value < b.value ? -1 : 1));
}

/** Winners that are tied to another winner by this batch: they may lose, and what was merged into them moves. */
export function bridgedRoots(
  keys: readonly ClaimedKey[],
  known: ReadonlyMap<string, Known>,
  nodes: ReadonlyMap<string, Known>,
): string[] {
  const sets = new Sets();
  const roots = new Set<string>();
  const rootOf = (leadId: string) => nodes.get(leadId)?.mergedInto ?? leadId;
  for (const { value, claimants } of keys) {
    const owner = known.get(value);
    for (const claimant of claimants) {
      sets.join(claimants[0]!, claimant);
      sets.join(claimant, rootOf(claimant));
      if (nodes.has(claimant)) roots.add(rootOf(claimant));
    }
    if (!owner || idle.has(owner.state)) continue;
    roots.add(rootOf(owner.leadId));
    sets.join(claimants[0]!, rootOf(owner.leadId));
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

/** What ties the leads that take part together, and the keys whose owner takes no part any more. */
export function link(
  keys: readonly ClaimedKey[],
  known: ReadonlyMap<string, Known>,
  /** The winner that a lead stands for, itself perhaps; null when that takes no part. */
  liveRootOf: (leadId: string) => string | null,
): { links: Link[]; takeovers: Takeover[] } {
  const links: Link[] = [];
  const takeovers: Takeover[] = [];
  for (const { kind, kindName, value, tenant, leadId, claimants } of keys) {
    const live = claimants.filter((claimant) => liveRootOf(claimant) !== null);
    const heir = live[0];
    if (heir === undefined) continue;
    const owner = known.get(value)?.leadId ?? leadId;
    if (liveRootOf(owner) === null) takeovers.push({ kind, value, tenant, from: owner, to: heir });
    const first = liveRootOf(owner) ?? liveRootOf(heir)!;
    for (const claimant of live) {
      const root = liveRootOf(claimant)!;
      if (root !== first) links.push({ a: first, b: root, kind: kindName });
    }
  }
  return { links, takeovers };
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

import { type Lead, type LeadFields, type LeadState, redriven } from "../leads/lead.ts";
import { type Link, type Member, Sets, type Standing } from "./decide.ts";
import { allFrom, type Origins, provenanceOf, type Told } from "./survivorship.ts";

/**
 * What the dedupe transactions handle, and how they get from rows to what {@link decide} decides on. Pure.
 */

/** A lead as it stood when it was looked at without a lock. */
export interface Known {
  tenant: string;
  leadId: string;
  state: LeadState;
  /** Dead, and let through by dedupe before it died. */
  stopped: boolean;
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
  /** As of a {@link Known}. */
  stopped: boolean;
  reason: string | null;
  mergedInto: string | null;
  revision: number;
  trust: number;
  source: string;
  fields: LeadFields;
  /** What it told itself last. */
  own: LeadFields;
  provenance: Origins;
  acceptedAt: number;
}

export interface Identity {
  tenant: string;
  leadId: string;
  fields: LeadFields;
  provenance: Origins;
  /** It holds nothing but its own telling. */
  alone?: boolean;
}

/** How a lead stood before it was lost: what an unmerge cannot tell from what the leads say themselves. */
export interface Before {
  state: LeadState;
  reason: string | null;
  /** Of its own telling; merges before the migration 051 have none. */
  revision?: number;
  /** The leads that were merged into it, and now are into its winner. */
  children: string[];
}

export interface Merge {
  tenant: string;
  winner: string;
  loser: string;
  /** Levels of services/dedupe/weights.ts that spoke for it. */
  evidence: { agree: string[] };
  loser_before: Before;
}

/** States in which a lead is nobody's double: what comes of it passes dedupe again, or nothing does. */
const idle: ReadonlySet<string> = new Set(["rejected", "dead", "discarded", "erased"]);

/**
 * Does a lead win or lose? One that died after dedupe let it through does: its letter is put back behind dedupe, so that
 * nobody would compare it with a double that came meanwhile.
 */
export function takesPart(lead: { state: string; stopped?: boolean }): boolean {
  return lead.stopped === true || !idle.has(lead.state);
}

/** A lead that takes part. */
export interface Party extends Member {
  tenant: string;
  told: Told;
  /** Revision of its own telling. */
  revision: number;
  state: LeadState;
  reason: string | null;
  /** As the record holds it. */
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

/** `arrives`: this batch brings it, so that nothing was done for it yet. */
export function partyOf(row: Locked, arrives: boolean): Party {
  const { leadId, tenant, acceptedAt, state, reason } = row;
  const told = toldOfRow(row);
  const standing = standingOf(row, arrives);
  return { leadId, tenant, acceptedAt, revision: row.revision, state, reason, standing, told, recorded: told };
}

function standingOf({ state, stopped, reason }: Locked, arrives: boolean): Standing {
  if (state === "completed") return "ended";
  // One that was put back is in a mailbox, or will be.
  if (stopped && reason !== redriven) return "stopped";
  return arrives ? "arrived" : "under_way";
}

/** What a row's lead told itself. */
export function ownOf({ own, trust, source, leadId, revision }: Locked): Told {
  return allFrom(own, { trust, source, leadId, revision });
}

function toldOfRow({ leadId, fields, provenance, trust, source, revision }: Locked): Told {
  if (Object.keys(provenance).length > 0) return { fields, origins: provenance };
  return allFrom(fields, { trust, source, leadId, revision });
}

/** The links between those that leads stand for; of leads that take no part there are none. */
export function liveLinks<L extends Link>(
  links: readonly L[],
  /** The winner that a lead stands for, itself perhaps; null when that takes no part. */
  liveRootOf: (leadId: string) => string | null,
): L[] {
  const live: L[] = [];
  for (const link of links) {
    const [x, y] = [liveRootOf(link.a), liveRootOf(link.b)];
    if (x !== null && y !== null && x !== y) live.push({ ...link, a: x, b: y });
  }
  return live;
}

export function before({ state, reason, revision, leadId }: Party, locked: ReadonlyMap<string, Locked>): Before {
  const children = [...locked.values()].filter((row) => row.mergedInto === leadId).map((row) => row.leadId);
  return { state, reason, revision, children };
}

/** Leads whose row does not hold what is told of them. */
export function changedIdentities(
  parties: Iterable<Pick<Party, "leadId" | "tenant" | "revision" | "told" | "recorded">>,
): Identity[] {
  const changed: Identity[] = [];
  for (const { leadId, tenant, revision, told, recorded } of parties) {
    if (told === recorded) continue;
    changed.push({ tenant, leadId, fields: told.fields, provenance: provenanceOf(told, { leadId, revision }) });
  }
  return changed;
}

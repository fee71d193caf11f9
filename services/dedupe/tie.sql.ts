import type { Knex } from "knex";
import { closeMerged } from "../leads/dead-letters.sql.ts";
import { type Apart, decide, type Link } from "./decide.ts";
import {
  countChildren,
  endLosers,
  insertMerges,
  lockLeads,
  moveChildren,
  type TenantLead,
  writeIdentities,
} from "./dedupe.sql.ts";
import {
  before,
  bridgedRoots,
  changedIdentities,
  type Identity,
  type Known,
  type Locked,
  liveLinks,
  type Merge,
  type Party,
  partyOf,
  takesPart,
} from "./party.ts";
import { readApart } from "./reviews.sql.ts";
import { survive, type Told } from "./survivorship.ts";

/**
 * Makes one of leads that are the same, be it by their evidence or because a person said so. Of the caller's transaction:
 * nothing is locked before, and all locks are taken in one statement (settle.sql.ts has the argument).
 */

export interface Ties<L extends Link> {
  /** Leads that are the same. */
  links: readonly L[];
  /** Other leads to be looked at under a lock. */
  besides: readonly string[];
  /** Leads of both, as they were read without a lock. */
  nodes: ReadonlyMap<string, Known>;
  /** Those that come only now, so that nothing was done for them yet. */
  arriving: ReadonlySet<string>;
  /** What a winner knows, by what one merged into it tells; where that may have changed. */
  toldFor?(winner: Told, merged: Locked): Told;
}

export interface Tied<L extends Link> {
  locked: ReadonlyMap<string, Locked>;
  /** Leads that take part, and whom each stands for: itself perhaps. */
  roots: ReadonlyMap<string, string>;
  parties: ReadonlyMap<string, Party>;
  merges: readonly Merge[];
  /** Links that would have joined what is kept apart. */
  refused: readonly L[];
}

/** What was read has changed before it was locked. Carries the SQLSTATE of a serialization failure: run it again. */
export class Moved extends Error {
  readonly code = "40001";
}

/** Throws {@link Moved} when the transaction must run again. A repeat finds its leads tied, and writes nothing. */
export async function tie<L extends Link>(trx: Knex.Transaction, ties: Ties<L>): Promise<Tied<L>> {
  const { links, besides, nodes, arriving, toldFor } = ties;
  const locked = await lockKnown(trx, links, besides, nodes);
  const roots = new Map<string, string>();
  const parties = new Map<string, Party>();
  for (const row of locked.values()) {
    if (!takesPart(row)) continue;
    roots.set(row.leadId, row.mergedInto ?? row.leadId);
    if (row.mergedInto === null) parties.set(row.leadId, partyOf(row, arriving.has(row.leadId)));
  }
  for (const leadId of toldFor ? besides : []) {
    const winner = parties.get(roots.get(leadId) ?? "");
    if (winner && winner.leadId !== leadId) winner.told = toldFor!(winner.told, locked.get(leadId)!);
  }

  const live = liveLinks(links, (leadId) => {
    const root = roots.get(leadId);
    return root !== undefined && parties.has(root) ? root : null;
  });
  const { clusters, refused } = decide([...parties.values()], live, await apartAmong(trx, live, parties));
  const merges: Merge[] = [];
  for (const { winner, losers } of clusters) {
    for (const { member: loser, kinds } of losers) {
      merges.push({
        tenant: winner.tenant,
        winner: winner.leadId,
        loser: loser.leadId,
        evidence: { agree: kinds },
        loser_before: before(loser, locked),
      });
      roots.set(loser.leadId, winner.leadId);
      winner.told = survive(winner.told, loser.told);
    }
  }
  // Those that had been merged into a loser stand for its winner now.
  for (const [leadId, root] of roots) roots.set(leadId, roots.get(root) ?? root);
  await write(trx, merges, changedIdentities(parties.values()));
  return { locked, roots, parties, merges, refused };
}

/** Which of the leads that may become one stand for leads that a person keeps apart. */
async function apartAmong(
  trx: Knex.Transaction,
  links: readonly Link[],
  parties: ReadonlyMap<string, Party>,
): Promise<Apart[]> {
  const ids = new Set(links.flatMap(({ a, b }) => [a, b]));
  return ids.size === 0
    ? []
    : readApart(
        trx,
        [...ids].map((leadId) => parties.get(leadId)!),
      );
}

/** Locks what is tied, and makes sure that it is what was read. */
async function lockKnown(
  trx: Knex.Transaction,
  links: readonly Link[],
  besides: readonly string[],
  nodes: ReadonlyMap<string, Known>,
): Promise<Map<string, Locked>> {
  const locked = new Map<string, Locked>();
  const wanted = new Map<string, TenantLead>();
  for (const leadId of [...besides, ...links.flatMap(({ a, b }) => [a, b])]) {
    const node = nodes.get(leadId);
    if (!node) continue;
    const { tenant, mergedInto } = node;
    wanted.set(leadId, { tenant, leadId });
    if (mergedInto !== null) wanted.set(mergedInto, { tenant, leadId: mergedInto });
  }
  if (wanted.size === 0) return locked;
  const bridged = bridgedRoots(links, nodes).map((leadId) => wanted.get(leadId)!);
  for (const row of await lockLeads(trx, [...wanted.values()], bridged)) locked.set(row.leadId, row);
  for (const { leadId } of wanted.values()) {
    const then = nodes.get(leadId);
    const now = locked.get(leadId);
    const same = now !== undefined && now.mergedInto === (then?.mergedInto ?? null);
    if (!same || (then && takesPart(then) !== takesPart(now))) throw new Moved(`lead ${leadId} has moved`);
  }
  return locked;
}

async function write(trx: Knex.Transaction, merges: readonly Merge[], changed: readonly Identity[]): Promise<void> {
  if (changed.length > 0) await writeIdentities(trx, changed);
  if (merges.length === 0) return;
  await endLosers(trx, merges);
  const children = merges.reduce((sum, merge) => sum + merge.loser_before.children.length, 0);
  // One that was merged into a loser while its lock was waited for is not locked here, and to lock it now, below ids that
  // are held, deadlocked with a repeat of it: so it is looked for, not written.
  const losers = merges.map(({ tenant, loser }) => ({ tenant, leadId: loser }));
  if ((await countChildren(trx, losers)) !== children) throw new Moved("a lead was merged into a loser meanwhile");
  if (children > 0) await moveChildren(trx, merges);
  await insertMerges(trx, merges);
  const died = merges.filter((merge) => merge.loser_before.state === "dead");
  if (died.length > 0)
    await closeMerged(
      trx,
      died.map(({ tenant, loser }) => ({ tenant, leadId: loser })),
    );
}

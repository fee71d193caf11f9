import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import type { Lead, LeadFields, LeadState } from "../leads/lead.ts";
import { type Arrival, insertLeads } from "../leads/record.ts";
import { decide } from "./decide.ts";
import {
  countChildren,
  dropKeys,
  endLosers,
  insertMerges,
  lockLeads,
  moveChildren,
  takeTurn,
  writeIdentities,
} from "./dedupe.sql.ts";
import { type Meeting, meet } from "./meet.sql.ts";
import {
  before,
  bridgedRoots,
  changedIdentities,
  childrenOf,
  type Identity,
  idle,
  type Locked,
  latestById,
  liveLinks,
  type Merge,
  type Party,
  partyOf,
  partyOfRow,
} from "./party.ts";
import { retoldForWinner, survive, toldBy } from "./survivorship.ts";

/**
 * The dedupe transaction: a batch of leads comes on record, with its keys, and each double ends as merged.
 *
 *   take keys, find what is the same (meet.sql.ts) -> lock it -> leads on record -> decide -> write merges
 *
 * Two doubles that arrive at the same moment share a key. Where it is new, only one transaction can insert it, and the
 * other waits for that one's end; where it is there, only one can lock it. The other then finds the first one's lead
 * among those that have the key, and on record. So they meet, whatever the moment. (A key that is full is not locked:
 * doubles that share no other key than such a one are not found at any moment.)
 *
 * No deadlock. Locks are taken in four classes, and within each in one order over all transactions:
 *   1. keys that are new, by value;
 *   2. keys that are on record, by value;
 *   3. leads that are on record, by id: those that the batch's leads are the same as, the batch's own leads, the winners
 *      of both, and what was merged into a winner that may itself lose now;
 *   4. leads that are new, by id.
 * Who waits in class 1 holds new keys only: what it waits for is held by one that goes on to higher keys, or to a later
 * class. A key is wanted in class 2 only once it was found committed in class 1, so that who waits there waits for one
 * that is past class 1. Who waits in class 3 waits for one that holds class 3 and goes on to higher ids, or to class 4,
 * or for a single-statement writer of the record, which locks by id too. Nobody waits in class 4: a lead has a key that
 * all its tellings share, and which is never full; two transactions that both hold it new met at that key.
 * What follows writes locked rows alone.
 * What is locked in class 3 was chosen without a lock; when a look under the lock shows that it has changed (a winner
 * was merged in between), the transaction runs again: it never goes back to lock more. That is rare, as only a lead that
 * joins two clusters makes a winner lose. Writers outside of this that lock leads in another order are left to
 * PostgreSQL's deadlock detection and the same second run.
 */

/** What became of a lead. */
export type Settlement =
  /** It goes on, with these fields (its own, and what its doubles knew better). */
  | { kind: "live"; fields: LeadFields }
  | { kind: "merged"; into: string }
  /** Erased or discarded meanwhile: it goes no further. */
  | { kind: "ended"; state: LeadState };

/** What was read has changed before it was locked. Carries the SQLSTATE of a serialization failure: run it again. */
class Moved extends Error {
  readonly code = "40001";
}

/**
 * Settles a batch in a transaction of its own. One that must run again does so alone among those that must: where twenty
 * batches fought over one growing cluster, six runs were too few for the unlucky one. Errors as `transaction`.
 */
export function settleBatch(knex: Knex, stage: string, leads: readonly Lead[]): Promise<Map<string, Settlement>> {
  let runs = 0;
  return transaction(knex, async (trx) => {
    if (runs++ > 0) await takeTurn(trx);
    return settle(trx, stage, leads);
  });
}

/**
 * Settles a batch in the caller's transaction, whose isolation must be read committed. Every lead gets a settlement, by
 * lead id; a batch that is settled again changes nothing. Throws a serialization failure when it must run again.
 */
export async function settle(
  trx: Knex.Transaction,
  stage: string,
  leads: readonly Lead[],
): Promise<Map<string, Settlement>> {
  const tellings = latestById(leads);
  const meeting = await meet(trx, tellings);
  const locked = await lockKnown(trx, meeting);
  const arrivals = await insertLeads(trx, stage, tellings);
  await readMissed(trx, tellings, arrivals, locked);

  const settled = new Map<string, Settlement>();
  const roots = new Map<string, string>();
  const parties = new Map<string, Party>();
  const erased = new Set<string>();
  for (const [at, lead] of tellings.entries()) {
    const arrival = arrivals[at]!;
    const row = locked.get(lead.leadId);
    const state = arrival.state as LeadState;
    if (state === "merged") roots.set(lead.leadId, arrival.mergedInto!);
    else if (!idle.has(state)) {
      roots.set(lead.leadId, lead.leadId);
      parties.set(lead.leadId, partyOf(lead, arrival.change, row));
    } else if (state === "rejected" || state === "dead") {
      // A repeat of what a later stage has ended: it passes on, as every repeat does.
      settled.set(lead.leadId, { kind: "live", fields: row?.fields ?? lead.fields });
    } else {
      settled.set(lead.leadId, { kind: "ended", state });
      if (state === "erased") erased.add(lead.leadId);
    }
  }
  for (const row of locked.values()) {
    if (parties.has(row.leadId) || settled.has(row.leadId) || idle.has(row.state)) continue;
    roots.set(row.leadId, row.mergedInto ?? row.leadId);
    if (row.mergedInto === null) parties.set(row.leadId, partyOfRow(row));
  }
  for (const [at, lead] of tellings.entries()) {
    const root = roots.get(lead.leadId);
    if (root === undefined || root === lead.leadId || arrivals[at]!.change !== "updated") continue;
    const winner = parties.get(root);
    if (winner) winner.told = retoldForWinner(winner.told, toldBy(lead), lead.leadId);
  }

  const links = liveLinks(meeting.links, (leadId) => {
    const root = roots.get(leadId);
    return root !== undefined && parties.has(root) ? root : null;
  });
  const merges: Merge[] = [];
  for (const { winner, losers } of decide([...parties.values()], links)) {
    for (const { member: loser, kinds } of losers) {
      merges.push({
        tenant: winner.tenant,
        winner: winner.leadId,
        loser: loser.leadId,
        evidence: { agree: kinds },
        winner_before: before(winner),
        loser_before: { ...before(loser), children: childrenOf(loser.leadId, locked) },
      });
      roots.set(loser.leadId, winner.leadId);
      winner.told = survive(winner.told, loser.told);
    }
  }
  await write(trx, { merges, changed: changedIdentities(parties.values()), locked });
  if (erased.size > 0) {
    const theirs = meeting.keys.filter((key) => key.claimants.some((leadId) => erased.has(leadId)));
    await dropKeys(trx, theirs, [...erased]);
  }

  for (const lead of tellings) {
    const root = roots.get(lead.leadId);
    if (root === undefined) continue;
    const winner = roots.get(root) ?? root;
    if (winner === lead.leadId) settled.set(lead.leadId, { kind: "live", fields: parties.get(winner)!.told.fields });
    else settled.set(lead.leadId, { kind: "merged", into: winner });
  }
  return settled;
}

/** Locks what the batch is tied to, and makes sure that it is what was read. */
async function lockKnown(trx: Knex.Transaction, { links, nodes, again }: Meeting): Promise<Map<string, Locked>> {
  const locked = new Map<string, Locked>();
  const wanted = new Map<string, { tenant: string; leadId: string }>();
  for (const leadId of [...again, ...links.flatMap(({ a, b }) => [a, b])]) {
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
    if (!same || (then && idle.has(then.state) !== idle.has(now.state))) throw new Moved(`lead ${leadId} has moved`);
  }
  return locked;
}

/**
 * Leads that were on record although nothing led to them: another transaction brought them between the look and the
 * lock, or their keys are gone. The arrival has locked them.
 */
async function readMissed(
  trx: Knex.Transaction,
  tellings: readonly Lead[],
  arrivals: readonly Arrival[],
  locked: Map<string, Locked>,
): Promise<void> {
  const missed = tellings.filter((lead, at) => arrivals[at]!.change !== "new" && !locked.has(lead.leadId));
  if (missed.length === 0) return;
  for (const row of await lockLeads(trx, missed, [])) locked.set(row.leadId, row);
}

async function write(
  trx: Knex.Transaction,
  decided: { merges: Merge[]; changed: Identity[]; locked: ReadonlyMap<string, Locked> },
): Promise<void> {
  const { merges, changed, locked } = decided;
  if (changed.length > 0) await writeIdentities(trx, changed);
  if (merges.length === 0) return;
  await endLosers(trx, merges);
  // Only a loser that was on record before this batch can have had others merged into it.
  const known = merges.filter((merge) => locked.has(merge.loser));
  const children = known.reduce((sum, merge) => sum + (merge.loser_before.children?.length ?? 0), 0);
  if (known.length > 0) {
    // One that was merged into a loser while its lock was waited for is not locked here, and to lock it now, below ids
    // that are held, deadlocked with a repeat of it: so it is looked for, not written.
    if ((await countChildren(trx, known)) !== children) throw new Moved("a lead was merged into a loser meanwhile");
    if (children > 0) await moveChildren(trx, known);
  }
  await insertMerges(trx, merges);
}

import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import type { Lead, LeadFields, LeadState } from "../leads/lead.ts";
import { type Arrived, arrive } from "./arrive.sql.ts";
import { decide, type Link } from "./decide.ts";
import {
  byIndex,
  countChildren,
  endLosers,
  insertMerges,
  lockLeads,
  moveChildren,
  takeTurn,
  writeIdentities,
} from "./dedupe.sql.ts";
import { meet } from "./meet.sql.ts";
import { linksOf } from "./pairs.ts";
import {
  before,
  bridgedRoots,
  changedIdentities,
  childrenOf,
  type Identity,
  idle,
  type Known,
  type Locked,
  latestById,
  liveLinks,
  type Merge,
  ownOf,
  type Party,
  partyOf,
} from "./party.ts";
import { retoldForWinner, survive, type Told } from "./survivorship.ts";
import { verdictOf } from "./verdict.ts";

/**
 * How a batch of leads comes on record, and each double ends as merged. Two transactions, one after the other:
 *
 *   arrive: leads on record, with their keys (arrive.sql.ts)
 *   join:   look who shares a key, compare (meet.sql.ts) -> lock what is the same -> decide -> write merges
 *
 * Two doubles that arrive at the same moment on two instances find each other without waiting: each is on record, keys
 * and all, before it looks. Whichever looks second was there for the first to find, or finds the first: at least one
 * sees both. Where both do, their locks make one of them decide, and the other find what was decided. (Doubles that
 * share no key but such as are full are not found at any moment.)
 * A crash between the two leaves leads on record that have not looked: their message was not acknowledged, and its
 * repeat looks. Meanwhile others find them like any lead.
 *
 * No deadlock. `arrive` locks the batch's leads in one statement, by id, and then waits for nobody: keys are not unique.
 * `join` holds nothing while it looks, and then locks in one statement, by id: the leads that are the same, the batch's
 * own that were on record before, the winners of both, and what was merged into a winner that may itself lose now.
 * Neither goes back to lock more; the writers of the record lock by id too. What follows writes locked rows alone.
 * What `join` locks was chosen without a lock; when a look under the lock shows that it has changed (a winner was merged
 * in between), it runs again. Writers outside of this that lock leads in another order are left to PostgreSQL's deadlock
 * detection and the same second run.
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
 * Settles a batch in transactions of its own; one that is settled again changes nothing. Every lead gets a settlement, by
 * lead id. Errors as `transaction`.
 */
export async function settleBatch(knex: Knex, stage: string, leads: readonly Lead[]): Promise<Map<string, Settlement>> {
  const tellings = latestById(leads);
  const arrived = await transaction(knex, (trx) => arrive(trx, stage, tellings));
  // One that must run again does so alone among those that must: where twenty batches fought over one growing cluster,
  // six runs were too few for the unlucky one.
  let runs = 0;
  return transaction(knex, async (trx) => {
    if (runs++ > 0) await takeTurn(trx);
    return join(trx, arrived);
  });
}

/**
 * The second transaction, whose isolation must be read committed: `arrived` must be committed before it begins. Throws a
 * serialization failure when it must run again.
 */
export async function join(trx: Knex.Transaction, arrived: readonly Arrived[]): Promise<Map<string, Settlement>> {
  await byIndex(trx);
  const meeting = await meet(trx, arrived);
  const same = meeting.compared.filter(({ comparison }) => verdictOf(comparison) === "same").flatMap(linksOf);
  const locked = await lockKnown(trx, arrived, same, meeting.nodes);
  const settled = new Map<string, Settlement>();
  const roots = new Map<string, string>();
  const parties = new Map<string, Party>();
  const arriving = new Set(arrived.filter(({ arrival }) => arrival.change === "new").map(({ lead }) => lead.leadId));
  for (const row of locked.values()) {
    if (idle.has(row.state)) continue;
    roots.set(row.leadId, row.mergedInto ?? row.leadId);
    if (row.mergedInto === null) parties.set(row.leadId, partyOf(row, arriving.has(row.leadId)));
  }
  for (const { lead, arrival } of arrived) {
    const winner = parties.get(roots.get(lead.leadId) ?? "");
    if (!winner || winner.leadId === lead.leadId) continue;
    winner.told = toldForWinner(winner.told, ownOf(locked.get(lead.leadId)!), lead.leadId, arrival.change);
  }

  const links = liveLinks(same, (leadId) => {
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
  await write(trx, merges, changedIdentities(parties.values()));

  for (const { lead, arrival } of arrived) {
    const { leadId } = lead;
    const row = locked.get(leadId);
    const root = roots.get(leadId);
    const winner = root === undefined ? undefined : (roots.get(root) ?? root);
    if (winner !== undefined && winner !== leadId) settled.set(leadId, { kind: "merged", into: winner });
    else if (winner !== undefined) settled.set(leadId, { kind: "live", fields: parties.get(leadId)!.told.fields });
    // Nothing is the same as it, and it is new: what it told is what stands.
    else if (!row && arrival.change === "new") settled.set(leadId, { kind: "live", fields: lead.fields });
    else settled.set(leadId, endOf(row?.state ?? (arrival.state as LeadState), row?.fields ?? lead.fields));
  }
  return settled;
}

/**
 * What a merged lead tells, for its winner: a later telling replaces what the winner has from an earlier one, in the
 * repeat of a batch that was cut off in between too. Otherwise the winner knows it all, and gains nothing.
 */
function toldForWinner(winner: Told, own: Told, leadId: string, change: "new" | "updated" | "unchanged"): Told {
  const revision = Math.max(...Object.values(own.origins).map((origin) => origin.revision));
  const older = Object.values(winner.origins).some((o) => o.leadId === leadId && o.revision < revision);
  return change === "updated" || older ? retoldForWinner(winner, own, leadId) : survive(winner, own);
}

/** Of a lead that takes no part. A repeat of what a later stage has ended passes on, as every repeat does. */
function endOf(state: LeadState, fields: LeadFields): Settlement {
  return state === "rejected" || state === "dead" ? { kind: "live", fields } : { kind: "ended", state };
}

/** Locks what the batch is tied to, and makes sure that it is what was read. */
async function lockKnown(
  trx: Knex.Transaction,
  arrived: readonly Arrived[],
  links: readonly Link[],
  nodes: ReadonlyMap<string, Known>,
): Promise<Map<string, Locked>> {
  const locked = new Map<string, Locked>();
  const wanted = new Map<string, { tenant: string; leadId: string }>();
  const again = arrived.filter(({ arrival }) => arrival.change !== "new").map(({ lead }) => lead.leadId);
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

async function write(trx: Knex.Transaction, merges: readonly Merge[], changed: readonly Identity[]): Promise<void> {
  if (changed.length > 0) await writeIdentities(trx, changed);
  if (merges.length === 0) return;
  await endLosers(trx, merges);
  const children = merges.reduce((sum, merge) => sum + (merge.loser_before.children?.length ?? 0), 0);
  // One that was merged into a loser while its lock was waited for is not locked here, and to lock it now, below ids that
  // are held, deadlocked with a repeat of it: so it is looked for, not written.
  if ((await countChildren(trx, merges)) !== children) throw new Moved("a lead was merged into a loser meanwhile");
  if (children > 0) await moveChildren(trx, merges);
  await insertMerges(trx, merges);
}

import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import type { Lead, LeadFields, LeadState } from "../leads/lead.ts";
import { type Arrived, arrive } from "./arrive.sql.ts";
import { byIndex, takeTurn } from "./dedupe.sql.ts";
import { meet } from "./meet.sql.ts";
import { linkOf } from "./pairs.ts";
import { latestById, ownOf, takesPart } from "./party.ts";
import { questions } from "./questions.ts";
import { openReviews } from "./reviews.sql.ts";
import { retoldForWinner, survive, type Told } from "./survivorship.ts";
import { tie } from "./tie.sql.ts";
import { verdictOf } from "./verdict.ts";

/**
 * How a batch of leads comes on record, and each double ends as merged. Two transactions, one after the other:
 *
 *   arrive: leads on record, with their keys (arrive.sql.ts)
 *   join:   look who shares a key, compare (meet.sql.ts) -> lock what is the same, decide, write merges (tie.sql.ts)
 *           -> ask about what is in doubt
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
 * Neither goes back to lock more; the writers of the record lock by id too. What follows writes locked rows, and then
 * reviews, in the order of their pairs: who waits for one holds leads, and who holds one wants no lead any more. An
 * operator's merge and unmerge lock in the same way, leads first.
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
  const { compared, nodes } = meeting;
  const changes = new Map(arrived.map(({ lead, arrival }) => [lead.leadId, arrival.change]));
  const tied = await tie(trx, {
    links: compared.filter(({ comparison }) => verdictOf(comparison) === "same").map(linkOf),
    besides: arrived.filter(({ arrival }) => arrival.change !== "new").map(({ lead }) => lead.leadId),
    nodes,
    arriving: new Set(arrived.filter(({ arrival }) => arrival.change === "new").map(({ lead }) => lead.leadId)),
    toldFor: (winner, merged) => toldForWinner(winner, ownOf(merged), merged.leadId, changes.get(merged.leadId)!),
  });
  const asked = questions(compared, tied, nodes);
  if (asked.length > 0) await openReviews(trx, asked);

  const { locked, roots, parties } = tied;
  const settled = new Map<string, Settlement>();
  for (const { lead, arrival } of arrived) {
    const { leadId } = lead;
    const row = locked.get(leadId);
    const winner = roots.get(leadId);
    if (winner !== undefined && winner !== leadId) settled.set(leadId, { kind: "merged", into: winner });
    else if (winner !== undefined) settled.set(leadId, { kind: "live", fields: parties.get(leadId)!.told.fields });
    // Nothing is the same as it, and it is new: what it told is what stands.
    else if (!row && takesPart(arrival)) settled.set(leadId, { kind: "live", fields: lead.fields });
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

import type { Knex } from "knex";
import type { TimelineEntry } from "../leads/lead.ts";
import { linesOf } from "../leads/timeline.ts";
import { countChildren, lockLeads, moveBack, readKnown, writeIdentities } from "./dedupe.sql.ts";
import { type Before, type Identity, type Locked, ownOf, takesPart } from "./party.ts";
import { keepApart } from "./reviews.sql.ts";
import { provenanceOf, survive } from "./survivorship.ts";
import { Moved } from "./tie.sql.ts";

/** What became of an unmerge. */
export type Unmerged =
  /** Undone, now or before. `from`: whom it was merged into. */
  { kind: "done"; from: string; state: string } | { kind: "none" } | { kind: "never_merged" };

interface Booked {
  mergeId: string;
  winner: string;
  undone: boolean;
  before: Before;
}

/**
 * Undoes the merge by which a lead was lost, in the caller's transaction. Both sides become what they would be if it had
 * never been: each knows what it tells itself and what those tell that are still merged into it, so that merges on top
 * of one another are undone in any order, and later tellings are kept. The lead is as far on its way as it was; one
 * that had not ended stands in `resumes` until a mailbox has it. What was one lead until now is kept apart for ever.
 * Locks leads in one statement, by id. A repeat changes nothing. Throws a serialization failure when it must run again.
 */
export async function unmerge(
  trx: Knex.Transaction,
  { tenant, leadId, now }: { tenant: string; leadId: string; now: number },
): Promise<Unmerged> {
  const [node] = await readKnown(trx, [{ tenant, leadId }]);
  if (!node) return { kind: "none" };
  if (node.mergedInto === null) {
    const last = await lastMerge(trx, tenant, leadId);
    return last?.undone ? { kind: "done", from: last.winner, state: node.state } : { kind: "never_merged" };
  }
  const root = node.mergedInto;
  const both = [leadId, root].map((id) => ({ tenant, leadId: id }));
  const locked = new Map((await lockLeads(trx, both, [both[1]!])).map((row) => [row.leadId, row]));
  const [lead, winner] = [locked.get(leadId), locked.get(root)];
  if (lead?.mergedInto !== root || winner?.mergedInto !== null) throw new Moved(`lead ${leadId} has moved`);
  const merged = [...locked.values()].filter((row) => row.mergedInto === root);
  // One that was merged into the winner while its lock was waited for is not among them, and what it knows would be lost.
  if ((await countChildren(trx, [winner])) !== merged.length)
    throw new Moved(`a lead was merged into ${root} meanwhile`);
  const merge = await lastMerge(trx, tenant, leadId);
  if (!merge || merge.undone) throw new Error(`the merge of lead ${leadId} is not booked`);

  const members = merged.filter((row) => row !== lead);
  const back = members.filter((row) => merge.before.children.includes(row.leadId));
  const stay = members.filter((row) => !back.includes(row));
  const state = stateAfter(lead, merge.before);
  await release(trx, lead, { state, reason: state === "in_progress" ? null : merge.before.reason, now });
  if (back.length > 0) await moveBack(trx, { tenant, leadId }, back);
  // Of a winner that was erased, or otherwise is no lead any more, nothing is written.
  const sides = takesPart(winner) ? [together(lead, back), together(winner, stay)] : [together(lead, back)];
  await writeIdentities(trx, sides);
  await markUndone(trx, tenant, merge.mergeId);
  await keepApart(trx, tenant, idsOf([lead, ...back]), idsOf([winner, ...stay]));
  return { kind: "done", from: merge.winner, state };
}

const idsOf = (rows: readonly Locked[]) => rows.map((row) => row.leadId);

/** What a lead knows, itself and by those merged into it. */
function together(lead: Locked, members: readonly Locked[]): Identity {
  const { tenant, leadId } = lead;
  const told = members.map(ownOf).reduce(survive, ownOf(lead));
  return { tenant, leadId, fields: told.fields, provenance: provenanceOf(told, lead), alone: members.length === 0 };
}

/**
 * As before; a lead that was told anew meanwhile has that way still before it. So has one that was dead: its letter was
 * closed when it lost, and it tries the stage that it died in again.
 */
function stateAfter({ revision }: Locked, before: Before): string {
  if (before.state === "dead") return "in_progress";
  return before.revision !== undefined && revision > before.revision ? "in_progress" : before.state;
}

/** The merge by which a lead was lost last, by `merges_by_loser`. Locks nothing: whoever writes one holds the lead. */
async function lastMerge(trx: Knex, tenant: string, loser: string): Promise<Booked | undefined> {
  const { rows } = await trx.raw<{ rows: Booked[] }>(
    `select merge_id as "mergeId", winner, undone_at is not null as undone, loser_before as before
     from merges where tenant = ? and loser = ? order by undone_at is not null, merge_id desc limit 1`,
    [tenant, loser],
  );
  return rows[0];
}

/**
 * Lets a lead go from its winner, in `state`, with a line of its timeline, so that no end of before can be later than
 * it; one in progress is put on the list of those that no mailbox has. By primary key; the row is locked by the caller.
 */
async function release(
  trx: Knex,
  { tenant, leadId }: Locked,
  { state, reason, now }: { state: string; reason: string | null; now: number },
): Promise<void> {
  const entry: TimelineEntry = { stage: "dedupe", at: now, waitedMs: 0, workedMs: 0, outcome: "unmerge" };
  await trx.raw(
    `update leads set state = ?, reason = ?, merged_into = null, timeline = timeline || ?::jsonb, step = step + 1,
       updated_at = now()
     where lead_id = ? and tenant = ?`,
    [state, reason, JSON.stringify(linesOf([entry])), leadId, tenant],
  );
  if (state !== "in_progress") return;
  await trx.raw("insert into resumes (tenant, lead_id) values (?, ?) on conflict do nothing", [tenant, leadId]);
}

/** By primary key. */
async function markUndone(trx: Knex, tenant: string, mergeId: string): Promise<void> {
  await trx.raw("update merges set undone_at = now() where tenant = ? and merge_id = ?", [tenant, mergeId]);
}

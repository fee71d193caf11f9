import type { Knex } from "knex";
import type { Service } from "moleculer";
import type { Verdict } from "../../mixins/actor/outcome.ts";
import { statement } from "../../mixins/knex.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import type { Lead } from "./lead.ts";
import { type ArrivalRow, statesOf, upsertArrivals, upsertDead, upsertEnds } from "./leads.sql.ts";
import { keyOf, type LeadRow, rowOf } from "./row.ts";

export interface Checkpoint {
  lead: Lead;
  stage: string;
  state: "in_progress" | "completed" | "merged" | "rejected";
  reason?: string;
  into?: string;
}

/** What the record says of a lead that came to it. */
export interface Arrival {
  tenant: string;
  leadId: string;
  /** `unchanged`: the record had this telling, or a later one, already. */
  change: "new" | "updated" | "unchanged";
  /** The row's state now: `in_progress`, or one that an arrival does not leave (`merged`, `discarded`, `erased`), or where an earlier copy of this telling stands. */
  state: string;
  mergedInto: string | null;
  /** Of an updated row that held fields of merged leads: those, and where they came from. The row now has its own alone. */
  before: { fields: object; provenance: object } | null;
}

/** Rows a statement takes: past 500 nothing is gained (46,000 to 58,000 rows a second from 250 on). */
const chunkRows = 500;

/**
 * The arrival checkpoint, inside the caller's transaction: leads come on record as in progress, or up to date. Rows are
 * locked until the transaction ends, those that did not change too. One answer a lead, in the order given; of several
 * tellings of one lead in a batch the last one counts. `keysOf`: the blocking keys of what a lead tells; those that it has had
 * from no earlier telling are put on record with it.
 */
export async function insertLeads(
  trx: Knex.Transaction,
  stage: string,
  leads: readonly Lead[],
  keysOf: (lead: Lead) => readonly string[] = () => [],
): Promise<Arrival[]> {
  const rows = latest(leads.map((lead) => ({ ...rowOf(lead, { stage, state: "in_progress" }), keys: keysOf(lead) })));
  const found = new Map<string, Arrival>();
  for (const chunk of chunks(rows)) {
    for (const row of await upsertArrivals(trx, chunk))
      found.set(keyOf(row), arrival(row, row.inserted ? "new" : "updated"));
  }
  const missing = rows.filter((row) => !found.has(keyOf(row)));
  if (missing.length > 0) {
    const keys = missing.map((row) => ({ tenant: row.tenant, leadId: row.lead_id }));
    for (const row of await statesOf(trx, keys))
      found.set(keyOf(row), arrival({ ...row, inserted: false, before: null }, "unchanged"));
  }
  return leads.map((lead) => found.get(`${lead.leadId} ${lead.tenant}`)!);
}

/**
 * The actor's `checkpoint`: writes the leads whose way ends here; forwards are no business of the record. Throws the
 * `OUTAGE` of postgres when the database is down.
 */
export async function recordEnds(this: Service, stage: string, verdicts: Verdict<Lead>[]): Promise<void> {
  const ends: Checkpoint[] = [];
  for (const verdict of verdicts) {
    const { lead } = verdict;
    if (verdict.kind === "complete") ends.push({ lead, stage, state: "completed", reason: verdict.reason });
    else if (verdict.kind === "merge") ends.push({ lead, stage, state: "merged", into: verdict.into });
    else if (verdict.kind === "reject") ends.push({ lead, stage, state: "rejected", reason: verdict.reason });
    else verdict.kind satisfies "forward";
  }
  if (ends.length === 0) return;
  for (const { knex, things } of resourcesOf(this.broker).databases.group(ends, (end) => end.lead.tenant))
    await writeEnds(knex, things);
}

/** Writes checkpoints of one database. Each statement stands alone: what a crash leaves out, the repeat brings. */
export async function writeEnds(knex: Knex, ends: Checkpoint[]): Promise<void> {
  for (const chunk of chunks(latest(ends.map((end) => rowOf(end.lead, end)))))
    await statement(() => upsertEnds(knex, chunk));
}

/** Marks the leads of dead letters in one database. */
export async function writeDead(knex: Knex, rows: LeadRow[]): Promise<void> {
  for (const chunk of chunks(latest(rows))) await statement(() => upsertDead(knex, chunk));
}

function arrival(row: ArrivalRow, change: Arrival["change"]): Arrival {
  const { tenant, lead_id: leadId, state, merged_into: mergedInto, before } = row;
  return { tenant, leadId, change, state, mergedInto, before };
}

/** One row a lead: a statement cannot touch a row twice. Of tellings that stand equal the later in the list wins. */
function latest(rows: LeadRow[]): LeadRow[] {
  const byKey = new Map<string, LeadRow>();
  for (const row of rows) {
    const other = byKey.get(keyOf(row));
    if (!other || row.revision > other.revision || (row.revision === other.revision && row.step >= other.step))
      byKey.set(keyOf(row), row);
  }
  return [...byKey.values()];
}

function* chunks(rows: LeadRow[]): Generator<LeadRow[]> {
  for (let from = 0; from < rows.length; from += chunkRows) yield rows.slice(from, from + chunkRows);
}

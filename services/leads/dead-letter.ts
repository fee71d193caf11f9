import { tenantPattern } from "../../config/names.ts";
import { sideStages } from "../../config/pipeline.ts";
import type { FiledLetter } from "./dead-letters.sql.ts";
import { isPastDedupe } from "./lead.ts";
import { isUuid, type LeadRow, rowOfDead } from "./row.ts";
import { entriesOf } from "./timeline.ts";

/** Stages beside the flow: their mailboxes hold work items, which have ids too, but are nobody's lead. */
const workStages: ReadonlySet<string> = new Set(sideStages.map(({ name }) => name));

/** Does the mailbox of this stage hold leads? */
export const holdsLeads = (stage: string): boolean => !workStages.has(stage);

/** What a dead letter is to the record: a lead to mark, a work item, or a message from which no lead could be read. */
export type DeadLetter = { kind: "lead"; row: LeadRow } | { kind: "work" } | { kind: "foreign" };

const decoder = new TextDecoder();
const longestReason = 200;

/** Reads a dead letter: `{ v: 1, lead, stage, error: { type, message }, attempts, firstAt, lastAt, … }`, `lead` null for a foreign message. */
export function deadLead(data: Uint8Array): DeadLetter {
  let letter: { lead?: unknown; stage?: unknown; error?: { type?: unknown } } | null;
  try {
    letter = JSON.parse(decoder.decode(data));
  } catch {
    return { kind: "foreign" };
  }
  const stage = typeof letter?.stage === "string" ? letter.stage : "";
  if (!holdsLeads(stage)) return { kind: "work" };
  const row = rowOfDead(letter?.lead, stage, errorTypeOf(letter));
  return row && tenantPattern.test(row.tenant) ? { kind: "lead", row } : { kind: "foreign" };
}

function errorTypeOf(letter: { error?: { type?: unknown } } | null): string {
  const type = letter?.error?.type;
  return typeof type === "string" ? type.slice(0, longestReason) : "INTERNAL";
}

/** A dead letter's line in the index. Whatever cannot be read is nobody's: only a platform key sees it. */
export function filedLetter(message: {
  data: Uint8Array;
  subject: string;
  seq: number;
  storedAt: number;
}): FiledLetter {
  const read = deadLead(message.data);
  const { kind } = read;
  let letter: { lead?: any; stage?: unknown; lane?: unknown; attempts?: unknown; error?: { type?: unknown } } | null;
  try {
    letter = JSON.parse(decoder.decode(message.data));
  } catch {
    letter = null;
  }
  const { leadId, tenant } = (letter?.lead ?? {}) as { leadId?: unknown; tenant?: unknown };
  const owned = kind !== "foreign" && typeof tenant === "string" && tenantPattern.test(tenant);
  const attempts = Number(letter?.attempts);
  return {
    tenant: owned ? tenant : "",
    seq: message.seq,
    diedAt: message.storedAt,
    kind: owned ? kind : "foreign",
    stage: (typeof letter?.stage === "string" ? letter.stage : (message.subject.split(".").at(-2) ?? "")).slice(0, 64),
    lane: typeof letter?.lane === "string" ? letter.lane : null,
    errorType: errorTypeOf(letter),
    leadId: owned && isUuid(leadId) ? leadId.toLowerCase() : null,
    attempts: Number.isInteger(attempts) ? Math.min(Math.max(0, attempts), 1_000_000) : 0,
    isPastDedupe: read.kind === "lead" && isPastDedupe(entriesOf(read.row.timeline)),
  };
}

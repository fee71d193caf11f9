import { tenantPattern } from "../../config/names.ts";
import { sideStages } from "../../config/pipeline.ts";
import { type LeadRow, rowOfDead } from "./row.ts";

/** Stages beside the flow: their mailboxes hold work items, which have ids too, but are nobody's lead. */
const workStages: ReadonlySet<string> = new Set(sideStages.map(({ name }) => name));

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
  const type = letter?.error?.type;
  const row = rowOfDead(letter?.lead, stage, typeof type === "string" ? type.slice(0, longestReason) : "INTERNAL");
  return row && tenantPattern.test(row.tenant) ? { kind: "lead", row } : { kind: "foreign" };
}

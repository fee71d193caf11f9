import { normalise } from "../intake/normalise.ts";
import { type Fault, type RawLead, rawFields } from "../intake/raw.ts";
import { isPastDedupe, type Lead, type LeadFields, type LeadState } from "../leads/lead.ts";

/** A dead letter as its stage wrote it, as far as it is needed here; what a stranger wrote may be anything. */
export interface Letter {
  lead: (Pick<Lead, "leadId" | "tenant" | "revision" | "timeline"> & Partial<Lead>) | null;
  stage: string;
  lane: "live" | "bulk" | null;
  tenant: string | null;
  requestId: string;
  traceparent: string;
  importId?: string;
}

/** Why a letter stays where it is. `told_again`: the record holds a later telling of its lead. */
export type Why =
  | "unreadable"
  | "no_stage"
  | "discarded"
  | "erased"
  | "told_again"
  | "no_lead"
  | "patch_refused"
  | "too_large";

/** How a letter's lead stands on record; `revision` is its telling's. */
export interface OnRecord {
  state: LeadState;
  revision: number;
}

/** Back into a stage's mailbox, left dead, or closed. */
export type Plan =
  | { kind: "go"; stage: string; lead: Lead }
  | { kind: "stay"; why: Why; faults?: Fault[] }
  /** Its lead is another's double, and nothing is done for it. */
  | { kind: "merged" };

export interface Rules {
  /** Stages that have a mailbox. */
  stages: ReadonlySet<string>;
  /** The first stage of the flow: where a lead that was mended begins. */
  first: string;
  /** Stages whose items are no leads: they cannot be mended. */
  side: ReadonlySet<string>;
  /** ms since 1970: the revision of a lead that was mended. */
  now: number;
  /** ISO 3166-1 alpha-2 */
  defaultRegion: string;
}

/** Who a lead is, and what the mesh decides for itself: not to be mended. */
const fixed = new Set(["source", "sourceId"]);

/** What is wrong with a patch, whatever lead it is for. */
export function patchFaults(patch: Readonly<Record<string, unknown>>): Fault[] {
  return Object.keys(patch).flatMap((field) => {
    if (fixed.has(field)) return [{ field, message: "says who the lead is and cannot be changed" }];
    return Object.hasOwn(rawFields, field) ? [] : [{ field: field.slice(0, 64), message: "is not a field of a lead" }];
  });
}

/**
 * What becomes of a letter that is put back. As it is, it goes to the stage it died in, with fresh tries. Mended, it is a
 * later telling of the lead and begins at the first stage: what its keys, its site and its score hang on may have changed.
 * A lead that has become another's double goes back only where dedupe still lies before it, and ends there as merged. One
 * that was told anew since it died stays: as it was it is out of date, and mended it would be later than what was told.
 */
export function planRedrive(
  letter: Letter | null,
  onRecord: OnRecord | undefined,
  patch: Readonly<Record<string, unknown>> | null,
  rules: Rules,
): Plan {
  if (!letter?.lead || !isWhole(letter)) return stay("unreadable");
  const { lead, stage } = letter;
  const { state, revision = 0 } = onRecord ?? {};
  if (!rules.stages.has(stage)) return stay("no_stage");
  if (state === "discarded" || state === "erased") return stay(state);
  if (!patch && state === "merged" && isPastDedupe(lead.timeline)) return merged;
  if (revision > lead.revision) return stay("told_again");
  if (!patch) return { kind: "go", stage, lead: lead as Lead };
  if (rules.side.has(stage)) return stay("no_lead");
  const mended = mend(lead, patch, rules);
  return "faults" in mended
    ? { ...stay("patch_refused"), faults: mended.faults }
    : { kind: "go", stage: rules.first, lead: mended.lead };
}

/** What a mailbox's reader asks of an envelope: a stranger's message would only come back. */
function isWhole({ lead, lane, tenant, requestId, traceparent }: Letter): boolean {
  return (
    (lane === "live" || lane === "bulk") &&
    [requestId, traceparent, lead?.leadId].every((text) => typeof text === "string") &&
    tenant === lead?.tenant &&
    Array.isArray(lead?.timeline) &&
    Number.isFinite(lead?.revision)
  );
}

const merged = { kind: "merged" } as const;
const stay = (why: Why) => ({ kind: "stay", why }) as const;

/** A lead with other fields, by the rules of the edge: null takes a field away. */
function mend(
  lead: NonNullable<Letter["lead"]>,
  patch: Readonly<Record<string, unknown>>,
  { now, defaultRegion }: Rules,
): { lead: Lead } | { faults: Fault[] } {
  const told: Record<string, unknown> = { ...rawOf(lead.fields), trust: lead.trust, tier: lead.tier, ...patch };
  const read = normalise(told as RawLead, {
    tenant: lead.tenant,
    source: lead.source ?? "redrive",
    trust: lead.trust ?? "imported",
    defaultRegion,
    now: Math.max(now, lead.revision + 1),
    newId: () => lead.leadId,
  });
  if ("faults" in read) return read;
  // A field that was asked for and dropped is a mistake of the one who mends, not a warning for the lead to keep.
  const dropped = (read.lead.warnings ?? []).filter(({ field }) => Object.hasOwn(patch, field.split(".")[0]!));
  if (dropped.length > 0) return { faults: dropped };
  return { lead: lead.sourceId === undefined ? read.lead : { ...read.lead, sourceId: lead.sourceId } };
}

/** A lead's fields as they could be told: those that are worked out are left out. Whatever is no object is none. */
function rawOf(fields: LeadFields | undefined): Record<string, unknown> {
  if (fields === null || typeof fields !== "object" || Array.isArray(fields)) return {};
  return Object.fromEntries(Object.entries(fields).filter(([name]) => Object.hasOwn(rawFields, name)));
}

/** A letter's JSON; one without a lead where it is none. */
export function parseLetter(data: Uint8Array): Letter {
  const none: Letter = { lead: null, stage: "", lane: null, tenant: null, requestId: "", traceparent: "" };
  try {
    const letter = JSON.parse(new TextDecoder().decode(data)) as unknown;
    return letter !== null && typeof letter === "object" ? { ...none, ...letter } : none;
  } catch {
    return none;
  }
}

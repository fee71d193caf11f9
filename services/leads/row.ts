import { type Lead, lowestTier, trustLevels } from "./lead.ts";
import { linesOf } from "./timeline.ts";

/** One lead as the statements of leads.sql.ts take it, in a JSON array. Scalars that are searched stand apart from `fields`. */
export interface LeadRow {
  tenant: string;
  lead_id: string;
  revision: number;
  step: number;
  state: string;
  reason: string | null;
  stage: string;
  merged_into: string | null;
  source: string;
  source_id: string | null;
  trust: number;
  tier: number;
  name: string;
  email: string | null;
  phone: string | null;
  website: string | null;
  domain: string | null;
  city: string | null;
  region: string | null;
  zip: string | null;
  country: string | null;
  vertical: string | null;
  fields: object;
  warnings: unknown[] | null;
  facts: object;
  score: number | null;
  score_detail: object | null;
  mockup: object | null;
  /** As timeline.ts has it. */
  timeline: unknown[];
  /** Of an arrival: blocking keys of what it tells, 64-bit numbers in decimal (services/dedupe/keys.ts). */
  keys?: readonly string[];
}

export const keyOf = (row: Pick<LeadRow, "lead_id" | "tenant">) => `${row.lead_id} ${row.tenant}`;

/** What an end writes of a row that is there already. */
export function endOf(row: LeadRow) {
  const { tenant, lead_id, revision, step, state, reason, stage, merged_into } = row;
  const { warnings, facts, score, score_detail, mockup, timeline } = row;
  return {
    tenant,
    lead_id,
    revision,
    step,
    state,
    reason,
    stage,
    merged_into,
    warnings,
    facts,
    score,
    score_detail,
    mockup,
    timeline,
  };
}

export interface RowState {
  stage: string;
  state: string;
  reason?: string;
  into?: string;
}

/** A lead of the pipeline as a row: `step` counts the stages it has passed, so (revision, step) orders its tellings. */
export function rowOf(lead: Lead, { stage, state, reason, into }: RowState): LeadRow {
  const { fields } = lead;
  return {
    tenant: lead.tenant,
    lead_id: lead.leadId,
    revision: lead.revision,
    step: lead.timeline.length,
    state,
    reason: reason ?? null,
    stage,
    merged_into: into ?? null,
    source: lead.source,
    source_id: lead.sourceId ?? null,
    trust: trustLevels[lead.trust],
    tier: lead.tier ?? lowestTier,
    name: fields.name,
    email: fields.email ?? null,
    phone: fields.phone ?? null,
    website: fields.website ?? null,
    domain: fields.domain ?? null,
    city: fields.address?.city ?? null,
    region: fields.address?.state ?? null,
    zip: fields.address?.zip ?? null,
    country: fields.address?.country ?? null,
    vertical: fields.vertical ?? null,
    fields,
    warnings: lead.warnings ?? null,
    facts: lead.facts,
    score: lead.score?.value ?? null,
    score_detail: lead.score ?? null,
    mockup: lead.mockup ?? null,
    timeline: linesOf(lead.timeline),
  };
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isUuid = (value: unknown): value is string => typeof value === "string" && uuid.test(value);

const leadIds = /"leadId"\s*:\s*"([^"]*)"/g;

/** The leads that a text names which is to hold some and cannot be read; of whichever tenant they are. */
export const leadsNamedIn = (text: string): string[] =>
  Array.from(text.matchAll(leadIds), ([, id]) => id!)
    .filter(isUuid)
    .map((id) => id.toLowerCase());

const object = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const whole = (value: unknown, max: number): number =>
  typeof value === "number" && Number.isFinite(value) ? Math.max(0, Math.min(max, Math.trunc(value))) : 0;

/**
 * The lead of a dead letter as a row, whatever shape it is in: a lead often is dead because it is misshapen, and must be
 * on record all the same. null when it has no id or tenant, so is nobody's.
 */
export function rowOfDead(lead: unknown, stage: string, reason: string): LeadRow | null {
  const given = object(lead);
  if (!isUuid(given["leadId"]) || typeof given["tenant"] !== "string") return null;
  const fields = object(given["fields"]);
  const address = object(fields["address"]);
  const score = object(given["score"]);
  const mockup = object(given["mockup"]);
  const timeline = Array.isArray(given["timeline"]) ? given["timeline"] : [];
  return {
    tenant: given["tenant"],
    lead_id: given["leadId"],
    revision: whole(given["revision"], Number.MAX_SAFE_INTEGER),
    step: Math.min(timeline.length, 32_767),
    state: "dead",
    reason,
    stage,
    merged_into: null,
    source: text(given["source"]) ?? "",
    source_id: text(given["sourceId"]) ?? null,
    trust: trustLevels[text(given["trust"]) as keyof typeof trustLevels] ?? trustLevels.imported,
    tier: whole(given["tier"], 3) || lowestTier,
    name: text(fields["name"]) ?? "",
    email: text(fields["email"]) ?? null,
    phone: text(fields["phone"]) ?? null,
    website: text(fields["website"]) ?? null,
    domain: text(fields["domain"]) ?? null,
    city: text(address["city"]) ?? null,
    region: text(address["state"]) ?? null,
    zip: text(address["zip"]) ?? null,
    country: text(address["country"]) ?? null,
    vertical: text(fields["vertical"]) ?? null,
    fields,
    warnings: Array.isArray(given["warnings"]) ? given["warnings"] : null,
    facts: object(given["facts"]),
    score: typeof score["value"] === "number" ? whole(score["value"], 32_767) : null,
    score_detail: "value" in score ? score : null,
    mockup: "template" in mockup ? mockup : null,
    timeline: linesOf(timeline),
  };
}

// An escape is one only after an even number of backslashes. JSON.stringify writes a surrogate as an escape only when
// it stands alone.
const nul = /(?<!\\)((?:\\\\)*)\\u0000/g;
const loneSurrogate = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/gi;

/**
 * JSON that PostgreSQL's jsonb takes: it refuses NUL characters and lone surrogates, and one of them, from some web
 * site's title, would refuse the whole batch. NUL is dropped, a lone surrogate becomes U+FFFD.
 */
export function toJsonb(value: unknown): string {
  const json = JSON.stringify(value);
  if (!json.includes("\\u0000") && !json.includes("\\ud")) return json;
  return json.replace(nul, "$1").replace(loneSurrogate, "$1\\ufffd");
}

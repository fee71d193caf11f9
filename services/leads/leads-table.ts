import type { Table } from "../../mixins/knex-adapter.ts";
import { trustLevels } from "./lead.ts";
import { entriesOf } from "./timeline.ts";

const list = [
  "tenant",
  "lead_id",
  "revision",
  "state",
  "reason",
  "stage",
  "source",
  "source_id",
  "trust",
  "tier",
  "fields",
  "score",
  "merged_into",
  "accepted_at",
  "updated_at",
  "vertical",
  "email",
  "phone",
  "domain",
] as const;

/**
 * How the record may be read: `accepted` (newest first) alone or with a state, and `score` (best first) with a least
 * score, each by its index; the other filters look through what those give, a window of rows at a time.
 */
export const leadsTable: Table = {
  name: "leads",
  tenant: "tenant",
  id: "lead_id",
  columns: { list, get: [...list, "warnings", "facts", "score_detail", "timeline", "has_mockup"] },
  sorts: {
    accepted: { column: "accepted_at", kind: "time" },
    score: { column: "score", kind: "integer", nullable: true },
  },
  filters: {
    state: { column: "state", is: "=", served: ["accepted"] },
    minScore: { column: "score", is: ">=", served: ["score"] },
    // Three indexes for these were tried: each end of a lead writes every index of its row, and ends went from 13,000 to
    // 18,000 a second down to 7,000 to 8,000.
    email: { column: "email", is: "=", served: [] },
    phone: { column: "phone", is: "=", served: [] },
    domain: { column: "domain", is: "=", served: [] },
    stage: { column: "stage", is: "=", served: [] },
    source: { column: "source", is: "=", served: [] },
    vertical: { column: "vertical", is: "=", served: [] },
  },
  toObject,
};

/** Fields the service shows; all others, whatever the table grows, stay inside. */
export const shownFields = [
  "tenant",
  "leadId",
  "revision",
  "state",
  "reason",
  "stage",
  "source",
  "sourceId",
  "trust",
  "tier",
  "fields",
  "warnings",
  "facts",
  "score",
  "mockup",
  "mergedInto",
  "acceptedAt",
  "updatedAt",
  "timeline",
];

const trustOf = new Map(Object.entries(trustLevels).map(([name, level]) => [level, name]));

/** A row in the shape of a Lead, with what the record adds. What is not known is absent; `mockup` says whether there is one. */
function toObject(row: any): object {
  return {
    tenant: row.tenant,
    leadId: row.lead_id,
    revision: Number(row.revision),
    state: row.state,
    ...(row.reason !== null && { reason: row.reason }),
    stage: row.stage,
    source: row.source,
    ...(row.source_id !== null && { sourceId: row.source_id }),
    trust: trustOf.get(row.trust) ?? "imported",
    tier: row.tier,
    fields: row.fields,
    ...(row.warnings && { warnings: row.warnings }),
    ...(row.facts && { facts: row.facts }),
    ...(row.score !== null && { score: row.score_detail ?? { value: row.score } }),
    ...(row.has_mockup !== undefined && { mockup: row.has_mockup }),
    ...(row.merged_into !== null && { mergedInto: row.merged_into }),
    acceptedAt: row.accepted_at.getTime(),
    updatedAt: row.updated_at.getTime(),
    ...(row.timeline && { timeline: entriesOf(row.timeline) }),
  };
}

/** What is searched for by its exact value: an e-mail address, an E.164 phone number, or a domain. */
export function searchFilter(q: string): { email: string } | { phone: string } | { domain: string } {
  const text = q.trim();
  if (text.includes("@")) return { email: text.toLowerCase() };
  if (/^\+\d+$/.test(text)) return { phone: text };
  return { domain: text.toLowerCase() };
}

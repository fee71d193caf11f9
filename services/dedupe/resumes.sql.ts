import type { Knex } from "knex";
import { type Lead, type Trust, trustLevels } from "../leads/lead.ts";
import { entriesOf } from "../leads/timeline.ts";

interface ResumeRow {
  tenant: string;
  leadId: string;
  revision: number;
  source: string;
  sourceId: string | null;
  trust: number;
  tier: Lead["tier"];
  fields: Lead["fields"];
  warnings: Lead["warnings"] | null;
  facts: Lead["facts"];
  score: Lead["score"] | null;
  mockup: Lead["mockup"] | null;
  timeline: unknown[];
}

const trustOf = (level: number) =>
  (Object.keys(trustLevels) as Trust[]).find((name) => trustLevels[name] === level) ?? "imported";

/**
 * Leads that an unmerge has put back on their way and that no mailbox has, those of one lead alone where one is named.
 * Locks nothing: whoever publishes one a second time does no harm. By primary key.
 */
export async function readResumes(knex: Knex, most: number, one?: { tenant: string; leadId: string }): Promise<Lead[]> {
  const { rows } = await knex.raw<{ rows: ResumeRow[] }>(
    `select l.* from (
       select tenant, lead_id from resumes ${one ? "where lead_id = ? and tenant = ?" : "order by at"} limit ?
     ) r
     cross join lateral (
       select tenant, lead_id as "leadId", revision::float8 as revision, source, source_id as "sourceId", trust, tier,
         fields, warnings, facts, score_detail as score, mockup, timeline
       from leads l where l.lead_id = r.lead_id and l.tenant = r.tenant offset 0
     ) l`,
    [...(one ? [one.leadId, one.tenant] : []), most],
  );
  return rows.map(({ sourceId, trust, warnings, score, mockup, timeline, ...lead }) => ({
    ...lead,
    timeline: entriesOf(timeline),
    trust: trustOf(trust),
    ...(sourceId !== null && { sourceId }),
    ...(warnings && { warnings }),
    ...(score && { score }),
    ...(mockup && { mockup }),
  }));
}

/** A mailbox has it. By primary key. */
export async function endResume(knex: Knex, { tenant, leadId }: { tenant: string; leadId: string }): Promise<void> {
  await knex.raw("delete from resumes where lead_id = ? and tenant = ?", [leadId, tenant]);
}

import type { Knex } from "knex";

/** Sources answered for one lead at the most, and merges followed one after another. */
const maxSources = 1_000;
const maxDepth = 20;

export interface SourceRow {
  leadId: string;
  source: string;
  sourceId: string | null;
}

/**
 * The sources of a lead: its own, and those of all leads merged into it, directly or one over another. Reads the row by
 * primary key and the merged ones by leads_by_winner.
 */
export async function sourcesOf(knex: Knex, tenant: string, leadId: string): Promise<SourceRow[]> {
  const { rows } = await knex.raw<{ rows: SourceRow[] }>(
    `with recursive merged as (
       select tenant, lead_id, source, source_id, 0 as depth from leads where tenant = ? and lead_id = ?::uuid
       union
       select l.tenant, l.lead_id, l.source, l.source_id, m.depth + 1
       from merged m join leads l on l.tenant = m.tenant and l.merged_into = m.lead_id
       where m.depth < ${maxDepth}
     )
     select lead_id as "leadId", source, source_id as "sourceId" from merged order by depth, lead_id limit ${maxSources}`,
    [tenant, leadId],
  );
  return rows;
}

/** The mock-up of a lead with what its page is rendered from, by primary key. */
export async function mockupOf(
  knex: Knex,
  tenant: string,
  leadId: string,
): Promise<{ draft: object; fields: object; facts: object; score: object | null } | undefined> {
  const { rows } = await knex.raw(
    `select mockup as draft, fields, facts, score_detail as score from leads
     where tenant = ? and lead_id = ?::uuid and mockup is not null`,
    [tenant, leadId],
  );
  return rows[0];
}

/** When a lead was accepted, ms since 1970, by primary key: it may not have come to the record yet. */
export async function acceptedAt(knex: Knex, tenant: string, leadId: string): Promise<number | undefined> {
  const { rows } = await knex.raw<{ rows: { accepted_at: Date }[] }>(
    "select accepted_at from acceptances where tenant = ? and lead_id = ?::uuid",
    [tenant, leadId],
  );
  return rows[0]?.accepted_at.getTime();
}

/** Whose a lead is, by the primary keys, which begin with its id; several where two tenants' leads have one id. */
export async function tenantsOf(knex: Knex, leadId: string): Promise<string[]> {
  const { rows } = await knex.raw<{ rows: { tenant: string }[] }>(
    `select tenant from acceptances where lead_id = ?::uuid union select tenant from leads where lead_id = ?::uuid`,
    [leadId, leadId],
  );
  return rows.map(({ tenant }) => tenant);
}

import type { Knex } from "knex";
import type { Lead } from "../../services/leads/lead.ts";

/** The one table that the scripts of the old way keep everything in. Every statement is a lead's, and commits by itself. */
export async function createBatch(knex: Knex): Promise<void> {
  await knex.raw(`
    create table batch_leads (
      lead_id uuid primary key,
      state text not null default 'in_progress',
      lead jsonb not null,
      keys bigint[] not null default '{}',
      address bytea unique,
      mail jsonb
    );
    create index batch_leads_by_key on batch_leads using gin (keys);
  `);
}

/** Writes a lead that a script has read or changed, by the primary key. */
export async function writeLead(knex: Knex, lead: Lead, state = "in_progress"): Promise<void> {
  await knex.raw(
    `insert into batch_leads (lead_id, lead, state) values (?, ?, ?)
     on conflict (lead_id) do update set lead = excluded.lead, state = excluded.state`,
    [lead.leadId, JSON.stringify(lead), state],
  );
}

/** A lead for the next script, by the primary key; undefined where it has ended. */
export async function readLead(knex: Knex, leadId: string): Promise<Lead | undefined> {
  const { rows } = await knex.raw("select lead from batch_leads where lead_id = ? and state = 'in_progress'", [leadId]);
  return rows[0]?.lead;
}

/** Other leads that share a key, by the index of keys; writes the lead's own first. */
export async function sharers(knex: Knex, leadId: string, keys: readonly string[]): Promise<Lead[]> {
  await knex.raw("update batch_leads set keys = ?::bigint[] where lead_id = ?", [keys as string[], leadId]);
  const { rows } = await knex.raw(
    "select lead from batch_leads where keys && ?::bigint[] and lead_id <> ? and state <> 'merged'",
    [keys as string[], leadId],
  );
  return rows.map(({ lead }: { lead: Lead }) => lead);
}

/** Leads whose web site was not read, or not measured: a shorter way than the one that is timed. */
export async function countUnread(knex: Knex): Promise<number> {
  const { rows } = await knex.raw(
    `select count(*)::int as n from batch_leads
     where lead #>> '{facts,site,status}' is distinct from 'ok' or lead #>> '{facts,pagespeed,status}' is distinct from 'ok'`,
  );
  return rows[0].n;
}

/** Writes an e-mail unless its address has one already. Says whether it did. */
export async function writeMail(knex: Knex, leadId: string, address: Buffer, mail: object): Promise<boolean> {
  const { rowCount } = await knex.raw(
    `update batch_leads set address = ?, mail = ?
     where lead_id = ? and not exists (select from batch_leads where address = ?)`,
    [address, JSON.stringify(mail), leadId, address],
  );
  return rowCount === 1;
}

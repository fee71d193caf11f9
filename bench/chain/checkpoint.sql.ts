import type { Knex } from "knex";
import type { Lead } from "../../services/leads/lead.ts";

/** The table that the bench's two checkpoints write. */
export async function createTable(knex: Knex): Promise<void> {
  await knex.raw(
    "create table if not exists bench_chain (tenant text, lead_id uuid, step smallint, data jsonb, primary key (lead_id, tenant))",
  );
}

export async function truncate(knex: Knex): Promise<void> {
  await knex.raw("truncate bench_chain");
}

/** How many leads have ended (passed `steps` stages). */
export async function countEnded(knex: Knex, steps: number): Promise<number> {
  const { rows } = await knex.raw("select count(*)::int as n from bench_chain where step >= ?", [steps]);
  return rows[0].n;
}

/** One checkpoint: the batch upserted in one statement; never backwards. Found by the primary key. */
export async function upsert(knex: Knex, leads: readonly Lead[], step: number): Promise<void> {
  await knex.raw(
    `insert into bench_chain select tenant, lead_id, ?, data
     from jsonb_to_recordset(?::jsonb) as t (tenant text, lead_id uuid, data jsonb)
     on conflict (lead_id, tenant) do update set step = excluded.step, data = excluded.data where bench_chain.step < excluded.step`,
    [step, JSON.stringify(leads.map(({ tenant, leadId, fields }) => ({ tenant, lead_id: leadId, data: fields })))],
  );
}

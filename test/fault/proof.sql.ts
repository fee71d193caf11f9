import type { Knex } from "knex";
import type { Mail, Paid } from "./judge.ts";

/** The driver's own questions to the database, past the product's code. They read whole tables of a run; lock nothing. */

/** E-mails that wait for nothing but a sender, and payments that nobody has settled. */
export async function unsettled(knex: Knex): Promise<{ mails: number; payments: number }> {
  const { rows } = await knex.raw(`
    select (select count(*)::int from outbox where state in ('claimed', 'sending') or (state = 'written' and due_at <= now() + interval '1 minute')) as mails,
      (select count(*)::int from budget_entries where state = 'reserved') as payments`);
  return rows[0];
}

/** Payments that are reserved and not yet settled. */
export async function openPayments(knex: Knex): Promise<number> {
  const { rows } = await knex.raw("select count(*)::int as n from budget_entries where state = 'reserved'");
  return rows[0].n;
}

/** A tenant whose days of warming up are over: what is limited by them is not lost, but would not be sent today. */
export async function warmTenant(knex: Knex, tenant: string): Promise<void> {
  await knex.raw("insert into mail_tenants (tenant, warm_from) values (?, '2020-01-01')", [tenant]);
}

/** How many leads of a tenant have ended. */
export async function endedCount(knex: Knex, tenant: string): Promise<number> {
  const { rows } = await knex.raw(
    "select count(*)::int as n from leads where tenant = ? and state not in ('in_progress')",
    [tenant],
  );
  return rows[0].n;
}

export interface LeadState {
  state: string;
  /** When it was last written, ms since 1970. */
  endedAt: number;
}

export async function leadStates(knex: Knex, tenant: string): Promise<Map<string, LeadState>> {
  const { rows } = await knex.raw(
    "select lead_id, state, extract(epoch from updated_at) * 1000 as at from leads where tenant = ?",
    [tenant],
  );
  return new Map(rows.map((row: any) => [row.lead_id, { state: row.state, endedAt: Number(row.at) }]));
}

/** Merges that contradict each other: a lead that lost twice, is merged without a merge, or lost and is not merged. */
export async function brokenMerges(knex: Knex, tenant: string): Promise<{ merges: number; broken: string[] }> {
  const { rows } = await knex.raw(
    `select coalesce(m.loser, l.lead_id) as id, coalesce(m.n, 0)::int as n, l.state, m.winner = m.loser as self
     from (select loser, count(*) as n, min(winner::text)::uuid as winner from merges
           where tenant = :tenant and undone_at is null group by loser) m
     full join (select lead_id, state from leads where tenant = :tenant and state = 'merged') l on l.lead_id = m.loser`,
    { tenant },
  );
  return {
    merges: rows.length,
    broken: rows.filter((row: any) => row.n !== 1 || row.state !== "merged" || row.self).map((row: any) => row.id),
  };
}

/** The winner of each lead that lost a merge. */
export async function winnersOf(knex: Knex, tenant: string): Promise<Map<string, string>> {
  const { rows } = await knex.raw("select loser, winner from merges where tenant = ? and undone_at is null", [tenant]);
  return new Map(rows.map(({ loser, winner }: any) => [loser, winner]));
}

export async function outboxOf(knex: Knex, tenant: string): Promise<Mail[]> {
  const { rows } = await knex.raw(
    `select message_id as "messageId", state, lead_id as "leadId" from outbox where tenant = ?`,
    [tenant],
  );
  return rows;
}

/** Leads that have claimed an address, and no e-mail of that campaign. */
export async function claimedInVain(knex: Knex, tenant: string): Promise<string[]> {
  const { rows } = await knex.raw(
    `select c.lead_id from mail_claims c where c.tenant = ? and not exists (
       select from outbox o where o.tenant = c.tenant and o.lead_id = c.lead_id and o.campaign = c.campaign)`,
    [tenant],
  );
  return rows.map((row: any) => row.lead_id);
}

/** A tenant's payments to one provider; those that are open are closed now. */
export async function paidOf(knex: Knex, tenant: string, provider: string): Promise<Paid[]> {
  const { rows } = await knex.raw(
    `select effect_key as effect, run, lead_id as "leadId",
       cast(extract(epoch from reserved_at) * 1000 as float8) as "reservedAt",
       cast(extract(epoch from coalesce(closed_at, now())) * 1000 as float8) as "closedAt"
     from budget_entries where tenant = ? and provider = ? and state <> 'released'`,
    [tenant, provider],
  );
  return rows;
}

/** Windows of a tenant's ledger whose sums are not those of their entries. */
export async function wrongWindows(knex: Knex, tenant: string): Promise<number> {
  const { rows } = await knex.raw(
    `select w.period, w.provider from budget_windows w, lateral (
       select coalesce(sum(e.cost_micro), 0) as spent,
         coalesce(sum(e.reserved_micro) filter (where e.state = 'reserved'), 0) as reserved
       from budget_entries e
       where e.tenant = w.tenant and (w.provider = '' or e.provider = w.provider)
         and case w.period when 'day' then e.day = w.starts_on else date_trunc('month', e.day) = w.starts_on end) sums
     where w.tenant = ? and (w.spent_micro <> sums.spent or w.reserved_micro <> sums.reserved)`,
    [tenant],
  );
  return rows.length;
}

import type { Knex } from "knex";

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

export async function outboxStates(
  knex: Knex,
  tenant: string,
): Promise<{ messageId: string; state: string; leadId: string }[]> {
  const { rows } = await knex.raw(
    `select message_id as "messageId", state, lead_id as "leadId" from outbox where tenant = ?`,
    [tenant],
  );
  return rows;
}

export interface Books {
  /** Effects that were paid more than once, with how often. */
  repeats: number[];
  /** Payments in the ledger. */
  paid: number;
  /** Windows whose sum is not that of their entries. */
  wrongWindows: number;
}

/** What the ledger says of a tenant's payments to one provider. */
export async function booksOf(knex: Knex, tenant: string, provider: string): Promise<Books> {
  const { rows } = await knex.raw(
    `select count(*)::int as runs from budget_entries
     where tenant = ? and provider = ? and state in ('settled', 'presumed') group by effect_key`,
    [tenant, provider],
  );
  const { rows: windows } = await knex.raw(
    `select w.period, w.provider from budget_windows w
     where w.tenant = ? and (w.spent_micro <> (
         select coalesce(sum(e.cost_micro), 0) from budget_entries e
         where e.tenant = w.tenant and (w.provider = '' or e.provider = w.provider)
           and case w.period when 'day' then e.day = w.starts_on else date_trunc('month', e.day) = w.starts_on end)
       or w.reserved_micro <> 0)`,
    [tenant],
  );
  return {
    repeats: rows.map((row: any) => row.runs - 1).filter((n: number) => n > 0),
    paid: rows.reduce((sum: number, row: any) => sum + row.runs, 0),
    wrongWindows: windows.length,
  };
}

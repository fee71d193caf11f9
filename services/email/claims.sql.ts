import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import { givenBack } from "./leases.sql.ts";
import { dayLimit, type PlanOptions, plan, type Verdict } from "./plan.ts";
import type { QuietHours } from "./quiet-hours.ts";
import { isNeedless, isSuppressed, stateOfLead } from "./suppressions.sql.ts";

/**
 * How e-mails of the outbox get into a sender's hands; how they stay there, and get out of dead ones: leases.sql.ts. A row's way:
 *
 *   written --claimDue--> claimed --markSending--> sending --settleFate--> sent | written (later) | failed | unknown
 *      ^------- its sender died, nothing was sent ---|            |--- its sender died: unknown, sent again by nobody
 *
 * A sender holds rows for a lease that it renews. Every step names holder and state, so that one who was frozen while
 * its lease ran out finds that the row is no longer its own before it sends, not after. What is claimed is the sender's; what
 * is handed over has a holder of its own for each call that says so, which names the try: its number comes again when it
 * reached nobody.
 */

export interface MailKey {
  tenant: string;
  leadId: string;
  campaign: string;
}

/** An e-mail that is to be handed over now. */
export interface Handed extends MailKey {
  to: string;
  subject: string;
  text: string;
  html: string;
  messageId: string;
  unsubscribeUrl: string;
  /** Which try this is, from 1. */
  attempt: number;
  /** Whose it is while it is handed over. */
  holder: string;
}

export interface ClaimOptions {
  holder: string;
  leaseMs: number;
  /** Rows at the most. */
  hands: number;
  perMinute: number;
  quiet: QuietHours | undefined;
  /** For recipients and tenants that have none of their own. */
  timeZone: string;
  /** For tenants that have none of their own. */
  perDay: number;
}

/**
 * E-mails of one tenant that are looked at in one transaction, for each hand: most domains have their moment at once. A heap
 * for one slow domain is got past in some transactions more: each of its e-mails has its own moment after the first look.
 */
const looksAHand = 8;

/**
 * Claims due e-mails of the tenant whose turn it is, within all limits: the tenant's day, the pace of each domain, the
 * recipients' quiet hours; those whose moment has not come get it, and wait in their row. The list of suppressions and
 * the state of the lead are asked in the statement that claims. Returns how many were claimed of which tenant, and whether
 * it had due e-mail that nobody else has in hand: none of that is due a second time now. Locks the tenant's row for as long,
 * which keeps the day's count; other senders take other tenants. Served by outbox_due.
 */
export async function claimDue(
  knex: Knex,
  options: ClaimOptions,
): Promise<{ claimed: number; looked: boolean; tenant: string | undefined }> {
  return transaction(knex, async (trx) => {
    const tenant = await nextTenant(trx, options.perDay);
    if (!tenant) return { claimed: 0, looked: false, tenant: undefined };
    const { hands, quiet, perMinute } = options;
    const due = await dueOf(trx, tenant.name, tenant.timeZone ?? options.timeZone, hands * looksAHand);
    const pace = await lockPace(trx, due);
    const nextAt = new Map(pace);
    const planned: PlanOptions = { now: tenant.now, hands, allowance: tenant.allowance, quiet, perMinute };
    const verdicts = plan(due, nextAt, planned);
    const claimed = await write(trx, tenant.name, due, verdicts, options);
    await savePace(
      trx,
      [...nextAt].filter(([domain, at]) => pace.get(domain) !== at),
    );
    await trx.raw(
      `update mail_tenants set looked_at = clock_timestamp(), 
         warm_from = case when ? > 0 then coalesce(warm_from, (now() at time zone 'UTC')::date) else warm_from end,
         taken = case when day = (now() at time zone 'UTC')::date then taken else 0 end + ?,
         day = (now() at time zone 'UTC')::date,
         rests_until = case when ? then (((now() at time zone 'UTC')::date + 1)::timestamp at time zone 'UTC') end
       where tenant = ?`,
      [claimed, claimed, tenant.allowance <= 0, tenant.name],
    );
    return { claimed, looked: due.length > 0, tenant: tenant.name };
  });
}

/** The tenant that was looked at longest ago, of those that may send and have due e-mail. */
async function nextTenant(trx: Knex.Transaction, perDay: number) {
  const { rows } = await trx.raw(
    `select t.tenant, t.time_zone, t.day_limit, extract(epoch from now()) * 1000 as now,
       case when t.day = (now() at time zone 'UTC')::date then t.taken else 0 end as taken,
       coalesce((now() at time zone 'UTC')::date - t.warm_from, 0) as day_of_sending
     from mail_tenants t
     where t.stopped_at is null and (t.rests_until is null or t.rests_until <= now())
       and exists (select from outbox o where o.tenant = t.tenant and o.state = 'written' and o.due_at <= now())
     order by t.looked_at nulls first, t.tenant
     limit 1
     for update skip locked`,
  );
  const [row] = rows;
  if (!row) return undefined;
  return {
    name: row.tenant as string,
    timeZone: row.time_zone as string | null,
    now: Number(row.now),
    allowance: dayLimit(row.day_of_sending, row.day_limit ?? perDay) - row.taken,
  };
}

interface DueRow {
  leadId: string;
  campaign: string;
  domain: string;
  timeZone: string;
  slotAt: number | null;
}

async function dueOf(trx: Knex.Transaction, tenant: string, timeZone: string, most: number): Promise<DueRow[]> {
  const { rows } = await trx.raw(
    `select lead_id, campaign, domain, time_zone, extract(epoch from slot_at) * 1000 as slot_at from outbox
     where tenant = ? and state = 'written' and due_at <= now()
     order by due_at limit ? for update skip locked`,
    [tenant, most],
  );
  return rows.map((row: any) => ({
    leadId: row.lead_id,
    campaign: row.campaign,
    domain: row.domain,
    timeZone: row.time_zone ?? timeZone,
    slotAt: row.slot_at === null ? null : Number(row.slot_at),
  }));
}

/** Locks the pace of the domains, in order, making what is missing. Domain -> when it may be written to next, ms. */
async function lockPace(trx: Knex.Transaction, due: readonly DueRow[]): Promise<Map<string, number>> {
  const domains = [...new Set(due.map(({ domain }) => domain))].sort();
  await trx.raw(
    `insert into mail_pace (domain, next_at) select d, now() from unnest(?::text[]) as t(d) order by d
     on conflict do nothing`,
    [domains],
  );
  const { rows } = await trx.raw(
    `select domain, extract(epoch from next_at) * 1000 as next_at from mail_pace where domain = any(?::text[])
     order by domain for update`,
    [domains],
  );
  return new Map(rows.map((row: any) => [row.domain, Number(row.next_at)]));
}

async function savePace(trx: Knex.Transaction, nextAt: readonly [domain: string, ms: number][]): Promise<void> {
  if (nextAt.length === 0) return;
  await trx.raw(
    `update mail_pace set next_at = to_timestamp(given.ms / 1000)
     from unnest(?::text[], ?::float8[]) as given(domain, ms) where mail_pace.domain = given.domain`,
    [nextAt.map(([domain]) => domain), nextAt.map(([, ms]) => ms)],
  );
}

/**
 * The statement that claims: those that may go are leased to the holder, but for whoever wants none by now. Of doubles it is asked
 * when they are to be handed over.
 */
async function write(
  trx: Knex.Transaction,
  tenant: string,
  due: readonly DueRow[],
  verdicts: readonly Verdict[],
  { holder, leaseMs }: ClaimOptions,
): Promise<number> {
  if (verdicts.length === 0) return 0;
  const rows = verdicts.map((verdict, n) => ({
    lead_id: due[n]!.leadId,
    campaign: due[n]!.campaign,
    until: verdict.kind === "later" ? verdict.until : null,
    slot: verdict.kind === "later" ? verdict.slotAt : null,
  }));
  const { rows: written } = await trx.raw<{ rows: { state: string }[] }>(
    `update outbox o set
       state = case when v.until is not null then 'written' when ${isSuppressed("o")} then 'suppressed'
         when ${stateOfLead("o")} in ('discarded', 'erased') then 'cancelled' else 'claimed' end,
       due_at = coalesce(to_timestamp(v.until / 1000), o.due_at),
       slot_at = to_timestamp(v.slot / 1000),
       -- What it waited for is over; if it waits on, it is for something else.
       reason = case when o.reason in ('over_budget', 'held') then null else o.reason end,
       holder = case when v.until is null then ?::uuid end,
       lease_until = case when v.until is null then now() + make_interval(secs => ?::float8 / 1000) end
     from jsonb_to_recordset(?::jsonb) as v(lead_id uuid, campaign text, until float8, slot float8)
     where o.tenant = ? and o.lead_id = v.lead_id and o.campaign = v.campaign and o.state = 'written'
     returning o.state`,
    [holder, leaseMs, JSON.stringify(rows), tenant],
  );
  return written.filter(({ state }) => state === "claimed").length;
}

/**
 * Says of what the claimer has claimed that the holder hands it over from now on, and returns it. The suppressions and the
 * lead's state are asked again: they may have changed since the claim. Committed before anything is sent. With its answer
 * lost nothing may be sent: `takeBack` (leases.sql.ts) gives it back.
 */
export async function markSending(
  knex: Knex,
  claimer: string,
  leaseMs: number,
  holder: string = randomUUID(),
): Promise<Handed[]> {
  const rows = await transaction(knex, async (trx) => {
    const { rows: mine } = await trx.raw(
      `select lead_id from outbox where state = 'claimed' and holder = ? and lease_until > now()
       order by lead_id, tenant, campaign for update`,
      [claimer],
    );
    const mark = async (leadIds: string[], next: string) => {
      const { rows: marked } = await trx.raw(
        `with mine as (
           select tenant, lead_id, campaign, case when ${isSuppressed("o")} then 'suppressed' else ${next} end as next
           from outbox o where lead_id = any(?::uuid[]) and state = 'claimed' and holder = ? and lease_until > now()
         )
         update outbox o set state = next, attempts = attempts + (next = 'sending')::int,
           holder = case when next = 'claimed' then o.holder else ?::uuid end,
           -- When the try before was sent.
           sent_at = case when next = 'sending' then null else sent_at end,
           lease_until = now() + make_interval(secs => ?::float8 / 1000)
         from mine where o.tenant = mine.tenant and o.lead_id = mine.lead_id and o.campaign = mine.campaign
         returning o.tenant, o.lead_id as "leadId", o.campaign, o.state, recipient as "to", subject, body as text, html,
           message_id as "messageId", unsubscribe_url as "unsubscribeUrl", attempts as attempt, o.holder`,
        [leadIds, claimer, holder, leaseMs],
      );
      return marked;
    };
    const marked = await mark(
      mine.map((row: any) => row.lead_id),
      `case ${stateOfLead("o")} when 'merged' then 'claimed' when 'discarded' then 'cancelled' when 'erased' then 'cancelled'
             else 'sending' end`,
    );
    // Few are doubles, and what is asked of them takes 8 ms to plan.
    const doubles = marked.filter(({ state }: any) => state === "claimed").map(({ leadId }: any) => leadId);
    if (doubles.length > 0)
      marked.push(...(await mark(doubles, `case when ${isNeedless("o")} then 'cancelled' else 'sending' end`)));
    const left = marked.filter(({ state }: any) => state === "suppressed" || state === "cancelled");
    if (left.length > 0)
      await trx.raw(
        `update mail_tenants t set ${givenBack("n")}
         from (select tenant, count(*)::int as n from unnest(?::text[]) as g(tenant) group by tenant) g
         where g.tenant = t.tenant`,
        [left.map(({ tenant }: any) => tenant)],
      );
    return marked;
  });
  return rows.flatMap(({ state, ...mail }: any) => (state === "sending" ? [mail] : []));
}

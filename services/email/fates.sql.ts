import type { Knex } from "knex";
import { transaction } from "../../mixins/knex.ts";
import type { Fate } from "../../mixins/mail.ts";
import type { Handed, MailKey } from "./claims.sql.ts";
import { givenBack } from "./leases.sql.ts";
import { reasonToStop, stopAt } from "./plan.ts";
import { forGood, isEmptied } from "./suppressions.sql.ts";

/** Tries of one e-mail that a server refuses for now; then it has failed. */
const mostAttempts = 5;
/** The first wait after a refusal for now; it grows by four: 15 min, 1 h, 4 h, 16 h. Grey lists let one in after the first. */
const firstWaitMs = 900_000;

/** What came of an e-mail that was handed over. */
export interface Result {
  mail: Handed;
  fate: Fate;
}

interface Told {
  tenant: string;
  lead_id: string;
  campaign: string;
  attempt: number;
  holder: string;
  state: "sent" | "written" | "failed" | "bounced" | "unknown";
  /** Until it is due again, ms. */
  wait: number | null;
  /** When it is due again, ms since 1970; in place of `wait`. */
  until: number | null;
  reason: string | null;
  /** It was not handed over: the try does not count. */
  untried: boolean;
}

function told({ mail, fate }: Result): Told {
  const { tenant, leadId, campaign, attempt, holder } = mail;
  const key = { tenant, lead_id: leadId, campaign, attempt, holder };
  const row = { ...key, wait: null, until: null, reason: null, untried: false };
  switch (fate.kind) {
    case "sent":
      return { ...row, state: "sent" };
    case "unknown":
      return { ...row, state: "unknown", reason: fate.reason };
    case "unreached":
      return { ...row, state: "written", wait: 0, untried: true };
    case "unpaid":
      return {
        ...row,
        state: fate.until === null ? "failed" : "written",
        until: fate.until,
        reason: fate.reason,
        untried: true,
      };
    case "refused":
      if (fate.permanent) return { ...row, state: fate.recipient ? "bounced" : "failed", reason: fate.reason };
      if (attempt >= mostAttempts) return { ...row, state: "failed", reason: fate.reason };
      return { ...row, state: "written", wait: firstWaitMs * 4 ** (attempt - 1), reason: fate.reason };
    default:
      return fate satisfies never;
  }
}

/**
 * Writes what came of e-mails: their rows, the tenants' counts, the suppression of addresses that do not exist, and the
 * stop of a tenant whose e-mails bounce. (lead, campaign, holder) names one try: what a sender learnt late, after its lease ran
 * out, is still told, and a try that was sent wins over everything but a later try and its own soft bounce. One that was erased
 * meanwhile is tried no more, and what a server said of it (its address, perhaps) is not kept. A repeat changes nothing, also
 * when the number of a try that reached nobody is another's by then.
 */
export async function settleFates(knex: Knex, results: readonly Result[]): Promise<void> {
  if (results.length === 0) return;
  await transaction(knex, async (trx) => {
    const { rows } = await trx.raw<{ rows: { tenant: string }[] }>(
      `with told as (
         select * from jsonb_to_recordset(?::jsonb) as t(tenant text, lead_id uuid, campaign text, attempt smallint,
           holder uuid, state text, wait float8, until float8, reason text, untried boolean)
       ), done as (
         update outbox o set lease_until = null, slot_at = null,
           state = case when ${isEmptied("o")} and t.state = 'written' then 'cancelled' else t.state end,
           reason = case when not ${isEmptied("o")} then t.reason end,
           due_at = case when ${isEmptied("o")} then o.due_at
             else coalesce(now() + make_interval(secs => t.wait / 1000), to_timestamp(t.until / 1000), o.due_at) end,
           sent_at = case when t.state = 'sent' then now() end,
           attempts = o.attempts - case when t.untried then 1 else 0 end
         from told t
         where o.tenant = t.tenant and o.lead_id = t.lead_id and o.campaign = t.campaign and o.attempts = t.attempt
           and (o.state in ('sending', 'unknown') and (t.state = 'sent' or o.holder = t.holder)
             or o.state in ('written', 'claimed') and t.state = 'sent' and o.sent_at is null)
         returning o.tenant, o.address, t.state, t.untried
       ), listed as (
         insert into suppressions (tenant, address, reason)
         select distinct tenant, address, 'hard_bounce' from done where state = 'bounced' order by tenant, address
         ${forGood}
       ), given_back as (
         update mail_tenants t set ${givenBack("n")}
         from (select tenant, count(*)::int as n from done where untried group by tenant) d where d.tenant = t.tenant
       ), counted as (
         insert into mail_days (tenant, epoch, day, sent, bounced)
         select d.tenant, t.epoch, (now() at time zone 'UTC')::date, count(*), count(*) filter (where d.state = 'bounced')
         from done d join mail_tenants t using (tenant)
         where d.state in ('sent', 'bounced') group by d.tenant, t.epoch order by d.tenant
         on conflict (tenant, epoch, day)
           do update set sent = mail_days.sent + excluded.sent, bounced = mail_days.bounced + excluded.bounced
       )
       select distinct tenant from done where state in ('sent', 'bounced')`,
      [JSON.stringify(results.map(told))],
    );
    // After what was sent, too: what bounced before there was enough to judge by is judged when there is.
    for (const { tenant } of rows) await stopWhereBad(trx, tenant);
  });
}

/** Due e-mails that one which may not be paid takes along. */
const putOffAtOnce = 1_000;

/**
 * Puts off what else is due of tenants whose money is spent: an e-mail costs what the next one does, so each would only be
 * claimed to be refused. A repeat finds others. Locks the rows that nobody has in hand, by outbox_due.
 */
export async function putOffUnpaid(knex: Knex, results: readonly Result[]): Promise<void> {
  const untils = new Map<string, number>();
  for (const { mail, fate } of results)
    if (fate.kind === "unpaid" && fate.reason === "over_budget" && fate.until !== null)
      untils.set(mail.tenant, fate.until);
  for (const [tenant, until] of untils)
    await transaction(knex, async (trx) => {
      const { rows: due } = await trx.raw(
        `select lead_id, campaign from outbox where tenant = ? and state = 'written' and due_at <= now()
         order by due_at limit ? for update skip locked`,
        [tenant, putOffAtOnce],
      );
      await trx.raw(
        `update outbox o set due_at = to_timestamp(cast(:until as float8) / 1000), slot_at = null, reason = 'over_budget'
         from unnest(cast(:ids as uuid[]), cast(:campaigns as text[])) as due(lead_id, campaign)
         where o.tenant = :tenant and o.lead_id = due.lead_id and o.campaign = due.campaign`,
        { tenant, until, ids: due.map((d: any) => d.lead_id), campaigns: due.map((d: any) => d.campaign) },
      );
    });
}

/** Adds to a tenant's counts of today. */
export async function count(
  trx: Knex.Transaction,
  tenant: string,
  added: { sent?: number; bounced?: number; complained?: number },
): Promise<void> {
  const { sent = 0, bounced = 0, complained = 0 } = added;
  await trx.raw(
    `insert into mail_days (tenant, epoch, day, sent, bounced, complained)
     select tenant, epoch, (now() at time zone 'UTC')::date, ?, ?, ? from mail_tenants where tenant = ?
     on conflict (tenant, epoch, day) do update set sent = mail_days.sent + excluded.sent,
       bounced = mail_days.bounced + excluded.bounced, complained = mail_days.complained + excluded.complained`,
    [sent, bounced, complained, tenant],
  );
}

/** Stops a tenant whose e-mails bounce or are complained of too much, until somebody resumes it. */
export async function stopWhereBad(trx: Knex.Transaction, tenant: string): Promise<void> {
  const reason = reasonToStop(await countsOf(trx, tenant));
  if (reason === undefined) return;
  await trx.raw(
    "update mail_tenants set stopped_at = now(), stopped_reason = ? where tenant = ? and stopped_at is null",
    [reason, tenant],
  );
}

/** A tenant's counts of the last seven days, today among them, since it was last resumed. */
export async function countsOf(
  knex: Knex,
  tenant: string,
): Promise<{ sent: number; bounced: number; complained: number }> {
  const { rows } = await knex.raw(
    `select coalesce(sum(d.sent), 0)::int as sent, coalesce(sum(d.bounced), 0)::int as bounced,
       coalesce(sum(d.complained), 0)::int as complained
     from mail_tenants t join mail_days d on d.tenant = t.tenant and d.epoch = t.epoch
     where t.tenant = ? and d.day > (now() at time zone 'UTC')::date - ?::int`,
    [tenant, stopAt.days],
  );
  return rows[0];
}

export type Settled = "settled" | "already" | "otherwise" | "none";

/**
 * Settles an e-mail whose fate is unknown, as an operator says: `sent`, or not, and then it is sent again. Without a
 * campaign the lead's only unknown one. `already`: it was settled so before. `otherwise`: its fate is not unknown.
 */
export async function settleUnknown(
  knex: Knex,
  { tenant, leadId, campaign }: Omit<MailKey, "campaign"> & { campaign?: string },
  as: "sent" | "not_sent",
): Promise<Settled> {
  return transaction(knex, async (trx) => {
    const { rows } = await trx.raw(
      `select campaign, state, reason from outbox
       where tenant = ? and lead_id = ? ${campaign === undefined ? "" : "and campaign = ?"}
       order by state = 'unknown' desc limit 2 for update`,
      [tenant, leadId, ...(campaign === undefined ? [] : [campaign])],
    );
    const [row, other] = rows;
    if (!row) return "none";
    const reason = `an operator said: ${as}`;
    if (row.state !== "unknown") return row.reason === reason ? "already" : "otherwise";
    if (other?.state === "unknown") return "otherwise";
    await trx.raw(
      `update outbox o set reason = :reason, lease_until = null, slot_at = null,
         state = case when :sent then 'sent' when ${isEmptied("o")} then 'cancelled' else 'written' end,
         sent_at = case when :sent then now() end,
         due_at = case when :sent or ${isEmptied("o")} then due_at else now() end
       where tenant = :tenant and lead_id = :leadId and campaign = :campaign`,
      { reason, sent: as === "sent", tenant, leadId, campaign: row.campaign },
    );
    if (as === "sent") {
      await count(trx, tenant, { sent: 1 });
      await stopWhereBad(trx, tenant);
    }
    return "settled";
  });
}

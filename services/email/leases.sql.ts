import type { Knex } from "knex";
import { statement, transaction } from "../../mixins/knex.ts";
import { isEmptied } from "./suppressions.sql.ts";

/** How e-mails stay in a sender's hands, and get out of those that are not to hand them over. Their states: claims.sql.ts. */

/**
 * What a tenant's row (`t`) is when `n` e-mails that were claimed were not handed over: they do not count against their day. A
 * tenant that rests, as its day was full, goes on. A part of an update.
 */
export const givenBack = (n: string) => `
         taken = case when t.day = (now() at time zone 'UTC')::date then greatest(0, t.taken - ${n}) else t.taken end,
         sends_since = case when t.rests_until > now() then now() else t.sends_since end,
         rests_until = null`;

/**
 * Keeps what these holders hand over their own. A sender names those alone whose e-mails it has: those of a call whose answer
 * it never got end with their lease. Served by outbox_leases.
 */
export async function renewLeases(knex: Knex, holders: readonly string[], leaseMs: number): Promise<void> {
  await statement(() =>
    knex.raw(
      `update outbox set lease_until = now() + make_interval(secs => ?::float8 / 1000)
       where state = 'sending' and holder = any(?::uuid[]) and lease_until > now()`,
      [leaseMs, [...holders]],
    ),
  );
}

/** Gives claims back that were not begun: the sender leaves. Served by outbox_leases. */
export async function releaseClaims(knex: Knex, claimer: string): Promise<void> {
  await statement(() =>
    knex.raw(
      `with released as (
         update outbox set state = 'written', holder = null, lease_until = null
         where state = 'claimed' and holder = ? returning tenant
       )
       update mail_tenants t set ${givenBack("n")}
       from (select tenant, count(*)::int as n from released group by tenant) r where r.tenant = t.tenant`,
      [claimer],
    ),
  );
}

/** A call of `markSending` whose answer was lost. */
export interface Unanswered {
  tenant: string;
  claimer: string;
  holder: string;
}

/**
 * Gives back what such a call was to mark, claimed still, marked by it, or unknown as its lease is over: nobody hands it over.
 * The try does not count. Its commit may be under way: the rows that it has locked are waited for, and looked at as it leaves
 * them. A repeat finds nothing. Served by outbox_by_state.
 */
export async function takeBack(knex: Knex, { tenant, claimer, holder }: Unanswered): Promise<void> {
  const its = "state in ('claimed', 'sending', 'unknown') and holder in (?::uuid, ?::uuid)";
  await transaction(knex, async (trx) => {
    const { rows } = await trx.raw<{ rows: { lead_id: string }[] }>(
      `select lead_id from outbox where tenant = ? and ${its} order by lead_id, tenant, campaign for update`,
      [tenant, claimer, holder],
    );
    await trx.raw(
      `with back as (
         update outbox o set state = case when ${isEmptied("o")} then 'cancelled' else 'written' end,
           attempts = attempts - (state <> 'claimed')::int, reason = case when state <> 'unknown' then reason end,
           holder = null, lease_until = null
         where lead_id = any(?::uuid[]) and tenant = ? and ${its}
         returning tenant
       )
       update mail_tenants t set ${givenBack("n")}
       from (select tenant, count(*)::int as n from back group by tenant) b where b.tenant = t.tenant`,
      [rows.map(({ lead_id }) => lead_id), tenant, claimer, holder],
    );
  });
}

/**
 * Takes rows out of the hands of senders that say nothing more: what was claimed only is written again, what was being
 * handed over is `unknown`. Returns how many of each. Served by outbox_leases.
 */
export async function sweepLeases(knex: Knex): Promise<{ written: number; unknown: number }> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: [{ written: number; unknown: number }] }>(
      `with swept as (
         update outbox set
           state = case state when 'sending' then 'unknown' else 'written' end,
           reason = case state when 'sending' then 'its sender fell silent while it handed it over' else reason end,
           lease_until = null
         where state in ('claimed', 'sending') and lease_until <= now()
         returning tenant, state
       ), given_back as (
         update mail_tenants t set ${givenBack("n")}
         from (select tenant, count(*)::int as n from swept where state = 'written' group by tenant) s
         where s.tenant = t.tenant
       )
       select count(*) filter (where state = 'written')::int as written,
         count(*) filter (where state = 'unknown')::int as unknown
       from swept`,
    ),
  );
  return rows[0];
}

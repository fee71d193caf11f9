import type { Knex } from "knex";

/**
 * The address of `row` (a table or alias with `tenant` and `address`) wants no e-mail of this tenant; or of any, where
 * the tenant's setting says so. A part of statements: look-ups by key, kept apart by `offset 0` so that
 * they are not planned over whole tables.
 */
export const isSuppressed = (row: string) => `(exists (
           select from suppressions s where s.address = ${row}.address and s.tenant = ${row}.tenant offset 0)
         or (exists (select from mail_tenants m where m.tenant = ${row}.tenant and m.suppress_across offset 0)
           and exists (select from suppressions s where s.address = ${row}.address offset 0)))`;

/** The state of the lead of `row`; null where it is not on record. */
export const stateOfLead = (row: string) => `(
         select l.state from leads l where l.lead_id = ${row}.lead_id and l.tenant = ${row}.tenant offset 0)`;

/** The lead of `row` became a double, or is to be forgotten. */
export const isGone = (row: string) => `coalesce(${stateOfLead(row)} in ('merged', 'discarded', 'erased'), false)`;

/** An erasure has emptied `row` of the outbox: there is nothing left that could be sent, and nobody to send it to. */
export const isEmptied = (row: string) => `(${row}.recipient = '')`;

/** `row` of the outbox is the lead's e-mail of its campaign: one that was cancelled before it was ever handed over is none. */
export const isMail = (row: string) => `(${row}.state <> 'cancelled' or ${row}.attempts > 0)`;

/**
 * The e-mail `row` of the outbox has nobody to go to: its lead is to be forgotten, or became a double of one that is, or of one
 * that is written to without it, as it has an e-mail of the campaign itself, or another double of it has. Of two doubles whose
 * e-mails wait the first by its id is written to. Until then a double's e-mail is the one that its winner is not given
 * (email.sql.ts). By primary keys and leads_by_winner.
 */
export const isNeedless = (row: string) => {
  const written = (lead: string, and = "") => `exists (
             select from outbox x where x.lead_id = ${lead} and x.tenant = l.tenant and x.campaign = ${row}.campaign
               and ${isMail("x")} ${and} offset 0)`;
  return `coalesce((
         select l.state in ('discarded', 'erased') or l.state = 'merged' and (
           exists (select from leads w where w.lead_id = l.merged_into and w.tenant = l.tenant
             and w.state in ('discarded', 'erased') offset 0)
           or ${written("l.merged_into")}
           or exists (
             select from (
               select d.lead_id from leads d
               where d.tenant = l.tenant and d.merged_into = l.merged_into and d.lead_id <> l.lead_id offset 0
             ) double where ${written("double.lead_id", "and (x.attempts > 0 or x.lead_id < l.lead_id)")}))
         from leads l where l.lead_id = ${row}.lead_id and l.tenant = ${row}.tenant offset 0), false)`;
};

export type SuppressionReason = "unsubscribed" | "hard_bounce" | "complaint";

/**
 * What an insertion does where the address is on the list: the first reason stays, but for an erasure, which may be lifted. What
 * its recipient wants, or its server says, is not.
 */
export const forGood = `on conflict (tenant, address) do update set reason = excluded.reason, at = now()
           where suppressions.reason = 'erased'`;

/** Puts addresses (their hashes) on a tenant's list, for good. A repeat writes nothing. */
export async function suppress(
  knex: Knex,
  wanted: readonly { tenant: string; address: Buffer; reason: SuppressionReason }[],
): Promise<void> {
  await knex.raw(
    `insert into suppressions (tenant, address, reason)
     select distinct on (tenant, address) tenant, address, reason
     from unnest(?::text[], ?::bytea[], ?::text[]) as given(tenant, address, reason)
     order by tenant, address
     ${forGood}`,
    [wanted.map((w) => w.tenant), wanted.map((w) => `\\x${w.address.toString("hex")}`), wanted.map((w) => w.reason)],
  );
}

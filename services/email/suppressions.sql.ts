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

/** The lead of `row` became a double, or is to be forgotten, since its e-mail was written. */
export const isGone = (row: string) => `coalesce((
         select l.state in ('merged', 'discarded', 'erased') from leads l
         where l.lead_id = ${row}.lead_id and l.tenant = ${row}.tenant offset 0), false)`;

/** An erasure has emptied `row` of the outbox: there is nothing left that could be sent, and nobody to send it to. */
export const isEmptied = (row: string) => `(${row}.recipient = '')`;

export type SuppressionReason = "unsubscribed" | "hard_bounce" | "complaint";

/** Puts addresses (their hashes) on a tenant's list, for good. The first reason stays; a repeat writes nothing. */
export async function suppress(
  knex: Knex,
  wanted: readonly { tenant: string; address: Buffer; reason: SuppressionReason }[],
): Promise<void> {
  await knex.raw(
    `insert into suppressions (tenant, address, reason)
     select distinct on (tenant, address) tenant, address, reason
     from unnest(?::text[], ?::bytea[], ?::text[]) as given(tenant, address, reason)
     order by tenant, address
     on conflict do nothing`,
    [wanted.map((w) => w.tenant), wanted.map((w) => `\\x${w.address.toString("hex")}`), wanted.map((w) => w.reason)],
  );
}

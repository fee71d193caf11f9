import type { Knex } from "knex";
import { statement } from "../../mixins/knex.ts";
import { countsOf } from "./fates.sql.ts";
import { dayLimit } from "./plan.ts";

/** How a tenant sends. */
export interface TenantMail {
  /** Addresses that asked any tenant for no more e-mail get none, not this tenant's own alone. */
  suppressAcross: boolean;
  /** IANA; null: the mesh's. */
  timeZone: string | null;
  /** E-mails a day at the most; null: the mesh's. */
  dayLimit: number | null;
  /** Claimed today (UTC), and how many may be. */
  today: { taken: number; allowed: number };
  /** The last seven days, since it was last resumed. */
  week: { sent: number; bounced: number; complained: number };
  /** Why nothing is sent. `at`: ms since 1970. */
  stopped?: { at: number; reason: string };
}

export type TenantChange = Partial<Pick<TenantMail, "suppressAcross" | "timeZone" | "dayLimit">>;

/** A tenant's settings and counts; the defaults for one that has written to nobody yet. */
export async function readTenant(knex: Knex, tenant: string, perDay: number): Promise<TenantMail> {
  const { rows } = await statement(() =>
    knex.raw(
      `select suppress_across, time_zone, day_limit, stopped_at, stopped_reason,
         case when day = (now() at time zone 'UTC')::date then taken else 0 end as taken,
         coalesce((now() at time zone 'UTC')::date - warm_from, 0) as day_of_sending
       from mail_tenants where tenant = ?`,
      [tenant],
    ),
  );
  const [row] = rows;
  return {
    suppressAcross: row?.suppress_across ?? false,
    timeZone: row?.time_zone ?? null,
    dayLimit: row?.day_limit ?? null,
    today: { taken: row?.taken ?? 0, allowed: dayLimit(row?.day_of_sending ?? 0, row?.day_limit ?? perDay) },
    week: await statement(() => countsOf(knex, tenant)),
    ...(row?.stopped_at && { stopped: { at: row.stopped_at.getTime(), reason: row.stopped_reason } }),
  };
}

/** Changes what is named; a day's limit that was reached is looked at anew. */
export async function changeTenant(knex: Knex, tenant: string, change: TenantChange): Promise<void> {
  const columns = {
    ...(change.suppressAcross !== undefined && { suppress_across: change.suppressAcross }),
    ...(change.timeZone !== undefined && { time_zone: change.timeZone }),
    ...(change.dayLimit !== undefined && { day_limit: change.dayLimit }),
    rests_until: null,
    sends_since: knex.fn.now(),
  };
  await statement(() =>
    knex("mail_tenants")
      .insert({ tenant, ...columns })
      .onConflict("tenant")
      .merge(columns),
  );
}

/**
 * How long the e-mail that has been due for the longest has waited for a sender, seconds; 0 with none. Only while its tenant
 * may send: what waits for the next day, or for somebody to let its tenant go on, waits for that. Served by outbox_due.
 */
export async function overdueSeconds(knex: Knex): Promise<number> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: [{ seconds: number }] }>(
      `select coalesce(cast(extract(epoch from now() - min(greatest(due_at, t.sends_since,
           date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'))) as float8), 0) as seconds
       from mail_tenants t cross join lateral (
         select due_at from outbox o where o.tenant = t.tenant and o.state = 'written' and o.due_at <= now()
         order by due_at limit 1
       ) o
       where t.stopped_at is null and (t.rests_until is null or t.rests_until <= now())`,
    ),
  );
  return rows[0].seconds;
}

/** Lets a tenant that was stopped send again. What bounced before counts no more. False when it was not stopped. */
export async function resumeTenant(knex: Knex, tenant: string): Promise<boolean> {
  const { rowCount } = await statement(() =>
    knex.raw(
      `update mail_tenants set stopped_at = null, stopped_reason = null, sends_since = now(), epoch = epoch + 1
       where tenant = ? and stopped_at is not null`,
      [tenant],
    ),
  );
  return rowCount === 1;
}

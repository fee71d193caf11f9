import type { Knex } from "knex";

/** Of a tenant's leads: how many have ended, and how many of those otherwise than they should: dead, rejected, put away. */
export interface Ends {
  ended: number;
  amiss: number;
}

/** Reads an index of the whole tenant: only a bench may. */
export async function countEnds(knex: Knex, tenant: string): Promise<Ends> {
  const { rows } = await knex.raw(
    `select /* bench */ count(*)::int as ended, (count(*) filter (where state not in ('completed', 'merged')))::int as amiss
     from leads where tenant = ? and state <> 'in_progress'`,
    [tenant],
  );
  return rows[0];
}

/** Milliseconds from the acceptance of leads to their last stage's verdict, ascending. A lead that died has had none. */
export async function endToEndMs(knex: Knex, tenant: string, source: string): Promise<number[]> {
  const { rows } = await knex.raw(
    `select /* bench */ split_part(timeline ->> -1, ' ', 2)::bigint - revision as ms from leads
     where tenant = ? and source = ? and state in ('completed', 'merged') order by 1`,
    [tenant, source],
  );
  return rows.map(({ ms }: { ms: string }) => Number(ms));
}

/**
 * Share of the ended leads of these sources whose web site was not read, or not measured by PageSpeed: a shorter way than
 * the one that is timed. Of none: NaN. Reads all leads of the tenant: only a bench may.
 */
export async function shareUnread(knex: Knex, tenant: string, sources: readonly string[]): Promise<number> {
  const { rows } = await knex.raw(
    `select /* bench */ count(*)::int as ended, (count(*) filter (
       where facts #>> '{site,status}' is distinct from 'ok' or facts #>> '{pagespeed,status}' is distinct from 'ok'))::int as unread
     from leads where tenant = ? and source = any(?::text[]) and state <> 'in_progress'`,
    [tenant, [...sources]],
  );
  return rows[0].unread / rows[0].ended;
}

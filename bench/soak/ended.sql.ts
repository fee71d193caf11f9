import type { Knex } from "knex";

/** Ids asked for at once. */
const atOnce = 5_000;

/** Of these leads those that have ended, with the moment of their last stage's verdict, ms since 1970. By the primary key. */
export async function endedOf(knex: Knex, tenant: string, leadIds: readonly string[]): Promise<Map<string, number>> {
  const ended = new Map<string, number>();
  for (let at = 0; at < leadIds.length; at += atOnce) {
    const { rows } = await knex.raw(
      `select /* bench */ lead_id, coalesce(split_part(timeline ->> -1, ' ', 2)::bigint, extract(epoch from updated_at) * 1000) as at
       from leads
       where tenant = ? and lead_id = any(?::uuid[]) and state <> 'in_progress'`,
      [tenant, leadIds.slice(at, at + atOnce)],
    );
    for (const row of rows) ended.set(row.lead_id, Number(row.at));
  }
  return ended;
}

/** Bytes of the whole database. */
export async function databaseBytes(knex: Knex): Promise<number> {
  const { rows } = await knex.raw("select pg_database_size(current_database()) as bytes");
  return Number(rows[0].bytes);
}

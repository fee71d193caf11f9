import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import { countNoted } from "../../services/analytics/count.sql.ts";

/** Leads put on record by one statement. */
const blockLeads = 100_000;
/** Notes of leads that are counted by one statement. */
const countedAtOnce = 4_000;
/** Rows put into each table that grows beside the leads. */
const besideRows = 100_000;
/** Statements that put leads on record at once. */
const writers = 2;
/**
 * How PostgreSQL runs meanwhile: what is filled can be filled again, so that nothing is written twice for the sake of a power
 * loss, and tables are vacuumed once, at the end.
 */
const whileFilling = { full_page_writes: "off", autovacuum: "off" };

/**
 * Makes `count` more leads of a tenant out of those that have been through every stage: copies of their rows, under ids,
 * keys, addresses and moments of their own, with their acceptances, and with the e-mails of those that have one. In the end
 * ids and keys lie all over their indexes, as hashes do. A statement has a stretch of them for itself, else each of its entries
 * would be on a page of its own, of many more than stay in memory.
 */
export async function fill(knex: Knex, tenant: string, count: number, log: (line: string) => void): Promise<void> {
  const columns = {
    leads: await columnsOf(knex, "leads", ["lead_id", "source_id", "email", "domain", "keys", "accepted_at"]),
    outbox: await columnsOf(knex, "outbox", ["lead_id", "recipient", "address", "domain", "message_id", "written_at"]),
  };
  const { rows } = await knex.raw("select lead_id from leads where tenant = ? and state <> 'in_progress' limit 1000", [
    tenant,
  ]);
  const models = rows.map(({ lead_id }: { lead_id: string }) => lead_id);
  for (const [name, value] of Object.entries(whileFilling)) await knex.raw(`alter system set ${name} = '${value}'`);
  await knex.raw("select pg_reload_conf()");
  const fillBlock = async (from: number) => {
    const each = Math.ceil(Math.min(blockLeads, count - from) / models.length);
    const stretch = (place: string) =>
      `floor((${from / count} + ${place} * ${blockLeads / count}) * 65536)::int % 65536`;
    await knex.transaction(async (trx) => {
      // Joined with the tables themselves all that is on record is hashed, to find a thousand.
      for (const [copy, table] of Object.entries({ model: "leads", model_mail: "outbox" }))
        await trx.raw(
          `create temporary table ${copy} on commit drop as
           select * from ${table} where tenant = ? and lead_id = any(?::uuid[])`,
          [tenant, models],
        );
      await trx.raw(
        `create temporary table made on commit drop as
         select model, lead_id, at, array(
             select ((${stretch("(hash & 65535) / 65536.0")} - 32768)::bigint << 48) | (hash & 281474976710655)
             from (select hashtextextended(lead_id::text, k) as hash from generate_series(1, 5) k) hashed
           ) as keys
         from (
           select l.lead_id as model, now() - make_interval(secs => ? + n * 7) as at,
             (lpad(to_hex(${stretch("random()")}), 4, '0') || substr(gen_random_uuid()::text, 5))::uuid as lead_id
           from unnest(?::uuid[]) l(lead_id) cross join generate_series(1, ?::int) n offset 0
         ) drawn`,
        [from, models, each],
      );
      await trx.raw(`
        insert into leads (lead_id, source_id, email, domain, keys, accepted_at, ${columns.leads})
        select m.lead_id, m.lead_id::text, 'info@' || m.lead_id || '.example', m.lead_id || '.example',
          m.keys, m.at, ${columns.leads}
        from made m join model l on l.lead_id = m.model`);
      await trx.raw(`
        insert into lead_keys (key, lead_id)
        select key, lead_id from made cross join lateral unnest(keys) key order by 1`);
      await trx.raw("insert into acceptances (tenant, lead_id, accepted_at) select ?, lead_id, at from made", [tenant]);
      await trx.raw(`
        with written as (
          insert into outbox (lead_id, recipient, address, domain, message_id, written_at, ${columns.outbox})
          select m.lead_id, 'info@' || m.lead_id || '.example', sha256(('info@' || m.lead_id || '.example')::bytea),
            m.lead_id || '.example', m.lead_id || '@bench', m.at, ${columns.outbox}
          from made m join model_mail o on o.lead_id = m.model
          returning tenant, campaign, address, lead_id
        )
        insert into mail_claims (tenant, campaign, address, lead_id)
        select tenant, campaign, address, lead_id from written`);
    });
  };
  let [begun, done] = [0, 0];
  const write = async () => {
    while (begun < count) {
      const from = begun;
      begun += blockLeads;
      await fillBlock(from);
      done += Math.min(blockLeads, count - from);
      log(`${done} of ${count} leads are on record`);
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  // They are counted before anything is measured: elsewhere they come one by one, and are counted as they come. The mesh
  // does it as well, at its leisure.
  for (let left: number | null = countedAtOnce; left === null || left >= countedAtOnce; ) {
    left = await knex.transaction((trx) => countNoted(trx, countedAtOnce));
    if (left === null) await delay(50);
  }
  for (const table of ["leads", "lead_keys", "acceptances", "outbox", "mail_claims", "analytics_leads"])
    await knex.raw(`vacuum analyze ${table}`);
  for (const name of Object.keys(whileFilling)) await knex.raw(`alter system reset ${name}`);
  await knex.raw("select pg_reload_conf()");
  await knex.raw("checkpoint");
}

/**
 * Fills what grows beside the leads, so that a statement that reads such a table from end to end is seen: a twentieth of the
 * rows are the tenant's. All of it is over: paid, put away, decided, undone. Once.
 */
export async function fillBeside(knex: Knex, tenant: string): Promise<void> {
  for (const [table, columns] of Object.entries(beside)) {
    const names = Object.keys(columns);
    await knex.raw(
      `insert into ${table} (tenant, ${names.join(", ")})
       select case n % 20 when 0 then cast(? as text) else 'beside-' || n % 20 end, ${names.map((name) => columns[name]).join(", ")}
       from (select n, gen_random_uuid() as one, gen_random_uuid() as other, now() - make_interval(secs => n) as at
             from generate_series(1, ?::int) n) made`,
      [tenant, besideRows],
    );
    await knex.raw(`vacuum analyze ${table}`);
  }
}

/** Columns of the tables that grow beside the leads, as they are made of a number, two ids and a moment. */
const beside: Record<string, Record<string, string>> = {
  budget_entries: {
    ...{ effect_key: "'pagespeed/' || one", provider: "'pagespeed'", lead_id: "one", state: "'settled'" },
    ...{ settled_by: "'caller'", reservation: "other", day: "cast(at as date)", reserved_micro: "0" },
    ...{ reserved_at: "at", expires_at: "at", closed_at: "at" },
  },
  dead_letters: {
    ...{ seq: "n", died_at: "at", kind: "'lead'", stage: "'score'", lane: "'bulk'", error_type: "'TypeError'" },
    ...{ lead_id: "one", attempts: "6", state: "'discarded'", closed_at: "at" },
  },
  operations: {
    ...{ operation_id: "one", at: "at", by: "'bench'", what: "'lead.unmerge'", target: "cast(other as text)" },
    ...{ result: "'done'", ended_at: "at" },
  },
  reviews: {
    ...{ low: "least(one, other)", high: "greatest(one, other)", review_id: "one", state: "'apart'" },
    ...{ ground: "'doubt'", opened_at: "at", decided_at: "at" },
  },
  merges: { winner: "one", loser: "other", evidence: "'{}'", loser_before: "'{}'", at: "at", undone_at: "at" },
  mail_events: { event_id: "one", lead_id: "other", campaign: "'first'", kind: "'delivered'", at: "at" },
  suppressions: { address: "sha256(uuid_send(one))", reason: "'complaint'", at: "at" },
  tombstones: { mark: "one", erasure_id: "other" },
  listing_raw: { source: "'ndjson'", source_id: "one", answer: "'{}'", received_at: "at" },
};

/** The columns of a table that can be written, but for these. */
async function columnsOf(knex: Knex, table: string, but: readonly string[]): Promise<string> {
  const { rows } = await knex.raw(
    `select column_name as name from information_schema.columns
     where table_schema = 'public' and table_name = ? and is_generated = 'NEVER' and is_identity = 'NO'`,
    [table],
  );
  return rows.flatMap(({ name }: { name: string }) => (but.includes(name) ? [] : [name])).join(", ");
}

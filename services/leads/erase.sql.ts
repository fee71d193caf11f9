import type { Knex } from "knex";
import { type Counts, type Erasure, erasureColumns } from "./erasures.sql.ts";
import { eraseLateListings, eraseListings, listingMarks } from "./raw.sql.ts";
import { raise } from "./tombstones.sql.ts";

/**
 * The statements of an erasure. Each takes one tenant's leads, overwrites what is personal and keeps what is counted;
 * a repeat finds nothing more and says 0.
 */

/** The leads of a person have moved while they were looked at. Carries the SQLSTATE of a serialization failure: run it again. */
class Moved extends Error {
  readonly code = "40001";
}

interface Told {
  lead_id: string;
  source: string;
  source_id: string | null;
  fields: object;
  own: object | null;
  website: string | null;
  email: string | null;
}

/**
 * Begins an erasure, in the caller's transaction: finds the leads of the person, puts up the tombstones, and empties the
 * record. Asked again it returns the one that stands. Null for a lead that nobody has heard of, unless `known` says that
 * it was found elsewhere. Locks the leads by id, as all who write them do; then outbox and suppressions.
 */
export async function begin(
  trx: Knex.Transaction,
  asked: { tenant: string; leadId: string; erasureId: string; leaseMs: number; known: boolean },
): Promise<Erasure | null> {
  const { tenant, leadId, erasureId, leaseMs, known } = asked;
  const standing = await standingOf(trx, tenant, leadId);
  if (standing) return standing;
  const person = await personOf(trx, tenant, leadId);
  if (person.length === 0 && !known && !(await isAccepted(trx, tenant, leadId))) return null;
  const leadIds = person.length > 0 ? person : [leadId];
  const { rows: told } = await trx.raw<{ rows: Told[] }>(
    `select lead_id, source, source_id, fields, own, website, email from leads where tenant = ? and lead_id = any(?::uuid[])
     order by lead_id, tenant for update`,
    [tenant, leadIds],
  );
  if (String(await personOf(trx, tenant, leadId)) !== String(person)) throw new Moved(`the doubles of ${leadId} moved`);
  await trx.raw(
    `insert into erasures (tenant, erasure_id, lead_ids, next_at, websites, listings, addresses)
     values (?, ?::uuid, ?::uuid[], now() + make_interval(secs => ?::float8 / 1000), ?::text[],
       ${listingMarks},
       array(select distinct sha256(convert_to(lower(email), 'UTF8')) from unnest(?::text[]) email))`,
    [
      tenant,
      erasureId,
      leadIds,
      leaseMs,
      [...new Set(told.flatMap(({ website }) => website ?? []))],
      JSON.stringify(told.map(({ lead_id, source, source_id }) => ({ source, sourceId: source_id ?? lead_id }))),
      told.flatMap(({ fields, own, email }) => [email, emailOf(fields), emailOf(own)]).filter((e) => e !== null),
    ],
  );
  const tellings = told.flatMap(({ lead_id, fields, own }) => [
    { leadId: lead_id, fields },
    ...(own ? [{ leadId: lead_id, fields: own }] : []),
  ]);
  await raise(trx, asked, [...tellings, ...leadIds.map((id) => ({ leadId: id, fields: {} }))]);
  const did = await eraseRecord(trx, { tenant, erasureId, leadIds, isUnknown: person.length === 0 });
  await trx.raw("update erasures set did = ?::jsonb where tenant = ? and erasure_id = ?::uuid", [
    JSON.stringify(did),
    tenant,
    erasureId,
  ]);
  return standingOf(trx, tenant, leadId);
}

const emailOf = (fields: object | null): string | null => {
  const { email } = (fields ?? {}) as { email?: unknown };
  return typeof email === "string" ? email : null;
};

/** The erasure of a lead that stands, by erasures_by_lead. Locks it: of two who ask at once the second finds the first's. */
async function standingOf(trx: Knex.Transaction, tenant: string, leadId: string): Promise<Erasure | null> {
  // The number says "erase": two who begin with one lead wait for each other.
  await trx.raw("select pg_advisory_xact_lock(0x6572, hashtext(?))", [`${tenant} ${leadId}`]);
  const { rows } = await trx.raw<{ rows: Erasure[] }>(
    `select ${erasureColumns} from erasures
     where lead_ids @> array[?::uuid] and tenant = ? and lifted_at is null order by asked_at desc limit 1`,
    [leadId, tenant],
  );
  return rows[0] ?? null;
}

/** Ids of the lead and of all that were merged with it, up and down, sorted; none when it is not on record. */
async function personOf(trx: Knex.Transaction, tenant: string, leadId: string): Promise<string[]> {
  const { rows } = await trx.raw<{ rows: { lead_id: string }[] }>(
    `with recursive person as (
       select tenant, lead_id, merged_into from leads where tenant = ? and lead_id = ?::uuid
       union
       select l.* from person p cross join lateral (
         (select tenant, lead_id, merged_into from leads where lead_id = p.merged_into and tenant = p.tenant offset 0)
         union all
         (select tenant, lead_id, merged_into from leads where tenant = p.tenant and merged_into = p.lead_id offset 0)
       ) l
     )
     select lead_id from person order by lead_id`,
    [tenant, leadId],
  );
  return rows.map(({ lead_id }) => lead_id);
}

async function isAccepted(trx: Knex.Transaction, tenant: string, leadId: string): Promise<boolean> {
  const { rows } = await trx.raw("select from acceptances where tenant = ? and lead_id = ?::uuid", [tenant, leadId]);
  return rows.length > 0;
}

interface Whose extends Pick<Erasure, "tenant" | "leadIds" | "erasureId"> {
  /** No row of theirs was found. */
  isUnknown?: boolean;
}
type Run = (knex: Knex, erasure: Whose) => Promise<number>;

async function count(knex: Knex, sql: string, bindings: readonly unknown[]): Promise<number> {
  const { rowCount } = await knex.raw<{ rowCount: number }>(sql, bindings as never);
  return rowCount;
}

/**
 * Empties the leads' rows, or makes empty ones where there are none yet. The row is as late as the erasure: whatever was
 * told before it is an earlier telling from now on. By primary key. Throws {@link Moved} where it comes upon a row of a lead
 * that was not known: it has just arrived, and nothing of what it tells was looked for.
 */
const leads: Run = async (knex, { tenant, leadIds, isUnknown = false }) => {
  const { rows } = await knex.raw<{ rows: { met: boolean }[] }>(
    `insert into leads (tenant, lead_id, revision, step, state, reason, stage, source, trust, tier, name, fields, accepted_at)
     select ?, id, extract(epoch from clock_timestamp()) * 1000, 0, 'erased', 'erased', '', '', 50, 1, '', '{}', now()
     from unnest(?::uuid[]) id order by id
     on conflict (lead_id, tenant) do update set
       state = 'erased', reason = 'erased', merged_into = null,
       revision = greatest(leads.revision, excluded.revision), step = 0,
       source = '', source_id = null, name = '', email = null, phone = null, website = null, domain = null, city = null,
       region = null, zip = null, country = null, vertical = null, fields = '{}', own = null, provenance = '{}',
       keys = null, warnings = null, facts = '{}', score = null, score_detail = null, mockup = null, timeline = '[]', updated_at = now()
     where leads.state <> 'erased'
     returning old.lead_id is not null as met`,
    [tenant, leadIds] as never,
  );
  if (isUnknown && rows.some(({ met }) => met)) throw new Moved(`${leadIds} has arrived`);
  return rows.length;
};

/** Keeps of an acceptance that there was one, and when; and of its import, that one more was erased. By primary keys. */
const acceptances: Run = (knex, { tenant, leadIds }) =>
  count(
    knex,
    `with freed as (
       update acceptances set import_id = null
       where tenant = ? and lead_id = any(?::uuid[]) and import_id is not null
       returning tenant, old.import_id
     ), counted as (
       insert into import_erasures (tenant, import_id, leads)
       select tenant, import_id, count(*) from freed group by import_id, tenant order by import_id, tenant
       on conflict (import_id, tenant) do update set leads = import_erasures.leads + excluded.leads
     )
     select 1 from freed`,
    [tenant, leadIds],
  );

/** Its blocking keys, before its row, which says which they are. By lead_keys_by_key. */
const keys: Run = (knex, { tenant, leadIds }) =>
  count(
    knex,
    `delete from lead_keys k using (
       select lead_id, unnest(keys) as key from leads where tenant = ? and lead_id = any(?::uuid[])
     ) l
     where k.key = l.key and k.lead_id = l.lead_id`,
    [tenant, leadIds],
  );

/** What people were asked about it and another, and what they said. By primary key and reviews_by_high. */
const reviews: Run = (knex, { tenant, leadIds }) =>
  count(knex, "delete from reviews where tenant = ? and (low = any(?::uuid[]) or high = any(?::uuid[]))", [
    tenant,
    leadIds,
    leadIds,
  ]);

/** It is not put back on its way. By primary key. */
const resumes: Run = (knex, { tenant, leadIds }) =>
  count(knex, "delete from resumes where tenant = ? and lead_id = any(?::uuid[])", [tenant, leadIds]);

/**
 * The text and address of e-mails, and whether they were opened. One that waits is cancelled; one that was sent, or may have
 * been, stays as counted. The hash of the address stays, by which its events and its suppression are known. By primary key.
 */
const mails: Run = (knex, { tenant, leadIds }) =>
  count(
    knex,
    `update outbox set recipient = '', subject = '', html = '', body = '', unsubscribe_url = null, domain = null,
       time_zone = null, reason = null, message_id = null, due_at = null, slot_at = null, opened = false,
       state = case when state in ('written', 'claimed') then 'cancelled' else state end
     where tenant = ? and lead_id = any(?::uuid[]) and (recipient <> '' or state in ('written', 'claimed'))`,
    [tenant, leadIds],
  );

/**
 * The person's addresses are on the tenant's list of suppressions from now on, also for other leads that have them: those of the
 * record, and those that e-mails went to. All stand in the erasure, by which lifting finds them (`lift`).
 */
const suppressions: Run = async (knex, { tenant, leadIds, erasureId }) => {
  // A statement of its own: outbox is looked up before the erasure is locked (mixins/knex.ts, `statement`).
  const { rows } = await knex.raw<{ rows: { address: string }[] }>(
    `select distinct address::text as address from outbox
     where tenant = ? and lead_id = any(?::uuid[]) and address is not null`,
    [tenant, leadIds],
  );
  return count(
    knex,
    `with noted as (
       update erasures set addresses = array(select unnest(addresses) union select unnest(?::bytea[]))
       where tenant = ? and erasure_id = ?::uuid returning addresses
     )
     insert into suppressions (tenant, address, reason)
     select ?, address, 'erased' from (select unnest(addresses) as address from noted) known order by address
     on conflict do nothing`,
    [rows.map(({ address }) => address), tenant, erasureId, tenant],
  );
};

/**
 * Closes what the index of dead letters says of them: the letters themselves go out of the stream. By
 * dead_letters_of_lead; rows are locked by sequence, counts after them, as all who change both do.
 */
const deadLetters: Run = (knex, { tenant, leadIds }) =>
  count(
    knex,
    `with locked as (
       select seq, tenant, died_at from dead_letters
       where tenant = ? and lead_id = any(?::uuid[]) and state = 'dead' order by seq, tenant for update
     ), changed as (
       update dead_letters d set state = 'gone', closed_at = now() from locked l
       where d.seq = l.seq and d.tenant = l.tenant and d.died_at = l.died_at
       returning d.tenant, d.stage, d.error_type
     ), counted as (
       update dead_letter_counts c set open = c.open - s.n
       from (select tenant, stage, error_type, count(*) as n from changed group by 1, 2, 3 order by 1, 2, 3) s
       where c.tenant = s.tenant and c.stage = s.stage and c.error_type = s.error_type
     )
     select 1 from changed`,
    [tenant, leadIds],
  );

/** The tables of the record, each by its name in the answer. Another table is one line more. */
const tables: Record<string, Run> = {
  listings: eraseListings,
  lateListings: eraseLateListings,
  keys,
  leads,
  acceptances,
  // Before the reviews, as in dedupe: who has changed counts and waits for a review is waited for by nobody who has one.
  deadLetters,
  reviews,
  resumes,
  mails,
  suppressions,
};

/** Empties the record of these leads, in the caller's transaction. */
export async function eraseRecord(trx: Knex.Transaction, erasure: Whose): Promise<Counts> {
  const counts: Counts = {};
  for (const [name, run] of Object.entries(tables)) counts[name] = await run(trx, erasure);
  return counts;
}

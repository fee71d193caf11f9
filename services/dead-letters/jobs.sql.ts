import type { Knex } from "knex";
import { statement, transaction } from "../../mixins/knex.ts";
import type { LetterKey } from "./letter-id.ts";
import { type LetterFilter, type LetterRow, letterColumns, openLetters, within } from "./letters.sql.ts";

/**
 * Redrives and discards of many letters. A job:
 *
 *   (none) -- created --> running -- leased, claims letters, settles them … --> done | cancelled
 *                            ^-- its holder dies, the lease runs out --|
 *
 * What a job has claimed is finished by whoever holds it next, under the claim it was taken by. Every statement locks the
 * job first, then letters in (seq, tenant) order, then counts in the order of their key.
 */
export interface Job {
  id: string;
  /** '*': every tenant's. */
  tenant: string;
  kind: "redrive" | "discard";
  filter: LetterFilter;
  patch: Record<string, unknown> | null;
  reason: string | null;
  by: string;
  operationId: string;
  rate: number | null;
  most: number | null;
  untilSeq: number;
  matched: number;
  state: "running" | "done" | "cancelled";
  claimed: number;
  redriven: number;
  discarded: number;
  /** By why. */
  leftDead: Record<string, number>;
  createdAt: number;
  endedAt: number | null;
}

const jobColumns = `j.job_id as id, j.tenant, j.kind, j.filter, j.patch, j.reason, j.by, j.operation_id as "operationId", j.rate,
  j.most::float8 as most, j.until_seq::float8 as "untilSeq", j.matched::float8 as matched, j.state,
  j.claimed::float8 as claimed, j.redriven::float8 as redriven, j.discarded::float8 as discarded,
  j.left_dead as "leftDead", round(extract(epoch from j.created_at) * 1000)::float8 as "createdAt",
  round(extract(epoch from j.ended_at) * 1000)::float8 as "endedAt"`;

export type NewJob = Pick<
  Job,
  | "id"
  | "tenant"
  | "kind"
  | "filter"
  | "patch"
  | "reason"
  | "by"
  | "operationId"
  | "rate"
  | "most"
  | "untilSeq"
  | "matched"
>;

/** A job before it has its line in the log of operations. */
export type Planned = Omit<NewJob, "operationId">;

/** Puts a job down. A repeat with its id changes nothing, and answers the job as it stands. */
export async function createJob(knex: Knex, job: NewJob): Promise<Job> {
  const { rows } = await statement(() =>
    knex.raw(
      `with made as (
         insert into dead_letter_jobs
           (job_id, tenant, kind, filter, patch, reason, by, operation_id, rate, most, until_seq, matched)
         values (:id, :tenant, :kind, (:filter)::jsonb, (:patch)::jsonb, :reason, :by, :operationId, :rate, :most, :untilSeq, :matched)
         on conflict (job_id) do nothing returning *
       ) select ${jobColumns} from made j`,
      { ...job, filter: JSON.stringify(job.filter), patch: job.patch && JSON.stringify(job.patch) },
    ),
  );
  return rows[0] ?? (await findJob(knex, job.id, undefined));
}

/** A job by its id, of this tenant where one is given. */
export async function findJob(knex: Knex, id: string, tenant: string | undefined): Promise<Job | undefined> {
  const { rows } = await statement(() =>
    knex.raw(
      `select ${jobColumns} from dead_letter_jobs j where j.job_id = :id and ${tenant === undefined ? "true" : "j.tenant = :tenant"}`,
      { id, ...(tenant === undefined ? {} : { tenant }) },
    ),
  );
  return rows[0];
}

/** The newest jobs of a tenant, by dead_letter_jobs_by_time; everybody's where none is given: there are few. */
export async function listJobs(knex: Knex, tenant: string | undefined, limit: number): Promise<Job[]> {
  const { rows } = await statement(() =>
    knex.raw(
      `select ${jobColumns} from dead_letter_jobs j where ${tenant === undefined ? "true" : "j.tenant = :tenant"}
       order by j.created_at desc, j.job_id desc limit :limit`,
      { limit, ...(tenant === undefined ? {} : { tenant }) },
    ),
  );
  return rows;
}

/** Leases the oldest job that nobody holds, by dead_letter_jobs_open. Locks that row alone; one that another leases is passed by. */
export async function leaseJob(knex: Knex, holder: string, leaseMs: number): Promise<Job | undefined> {
  const { rows } = await statement(() =>
    knex.raw(
      `update dead_letter_jobs j set holder = :holder, lease_until = now() + make_interval(secs => (:leaseMs)::float8 / 1000)
       where j.job_id = (
         select job_id from dead_letter_jobs
         where state = 'running' and (lease_until is null or lease_until < now())
         order by created_at limit 1 for update skip locked)
       returning ${jobColumns}`,
      { holder, leaseMs },
    ),
  );
  return rows[0];
}

/** Holds a job longer, or, with 0, lets go of it. False when it is another's by now, or over. */
export async function keepJob(knex: Knex, id: string, holder: string, leaseMs: number): Promise<boolean> {
  const { rowCount } = await statement(() =>
    knex.raw(
      `update dead_letter_jobs set lease_until = now() + make_interval(secs => (:leaseMs)::float8 / 1000)
       where job_id = :id and holder = :holder`,
      { id, holder, leaseMs },
    ),
  );
  return rowCount === 1;
}

export type Claim = { kind: "letters"; letters: LetterRow[] } | { kind: "end" } | { kind: "lost" };

/**
 * The next letters of a job: those it has in hand already, or up to `limit` that are claimed now, in the order they died.
 * A letter that another job has is passed by: it is redriven or discarded once.
 */
export function claimLetters(knex: Knex, job: Job, holder: string, limit: number): Promise<Claim> {
  return transaction(knex, async (trx) => {
    const { rows: held } = await trx.raw(
      `select cancelled_at is not null as cancelled, claims::float8 as claims, claimed::float8 as claimed,
         round(extract(epoch from at_died) * 1000)::float8 as "diedAt", at_seq::float8 as seq
       from dead_letter_jobs where job_id = ? and holder = ? for update`,
      [job.id, holder],
    );
    if (!held[0]) return { kind: "lost" };
    const { cancelled, claims, claimed, diedAt, seq } = held[0];
    const { rows: inHand } = await trx.raw<{ rows: LetterRow[] }>(
      `select ${letterColumns} from dead_letters d where d.job_id = ? and d.state = 'claimed' order by d.claim, d.seq limit ?`,
      [job.id, limit],
    );
    if (inHand.length > 0) return { kind: "letters", letters: inHand };
    const room = Math.min(limit, (job.most ?? Number.POSITIVE_INFINITY) - claimed);
    if (cancelled || room <= 0) return { kind: "end" };

    const tenant = job.tenant === "*" ? undefined : job.tenant;
    const bounds = within(job.filter, diedAt === null ? undefined : { diedAt, seq }, "asc", "o");
    const meant = `${bounds.sql} and o.seq <= :untilSeq`;
    const open = openLetters(tenant, job.filter, meant, "asc");
    const bindings = { ...bounds.bindings, ...open.bindings, untilSeq: job.untilSeq, limit: room };
    const { rows: found } = await trx.raw<{ rows: LetterRow[] }>(
      `select ${letterColumns} from ${open.sql} order by d.died_at, d.seq limit :limit`,
      bindings,
    );
    const last = found.at(-1);
    if (!last) return { kind: "end" };
    const { rows: taken } = await trx.raw<{ rows: LetterRow[] }>(
      `with locked as (
         select d.seq, d.tenant, d.died_at from unnest((:seqs)::bigint[], (:tenants)::text[], (:moments)::float8[]) as u(s, t, m)
         join dead_letters d on d.seq = u.s and d.tenant = u.t and d.died_at = to_timestamp(u.m / 1000)
         where d.state = 'dead' order by d.seq, d.tenant for update of d
       ), taken as (
         update dead_letters d set state = 'claimed', job_id = :job, claim = :claim from locked l
         where d.seq = l.seq and d.tenant = l.tenant and d.died_at = l.died_at returning d.*
       ), ${counted("taken", "-count(*)")}
       select ${letterColumns} from taken d order by d.seq`,
      { ...keysOf(found), job: job.id, claim: claims + 1 },
    );
    await trx.raw(
      `update dead_letter_jobs set at_died = to_timestamp((:diedAt)::float8 / 1000), at_seq = :seq, claims = claims + 1,
         claimed = claimed + :taken where job_id = :id`,
      { id: job.id, diedAt: last.diedAt, seq: last.seq, taken: taken.length },
    );
    return { kind: "letters", letters: taken };
  });
}

/** What became of a claimed letter; `dead`: it was left, for this reason. `merged`: its lead is another's double. */
export type Settled = LetterRow & { to: "redriven" | "discarded" | "gone" | "merged" | "dead"; why?: string };

/** Closes letters that the job has in hand, or leaves them dead, and counts it on the job. A repeat changes nothing. */
export function settleLetters(knex: Knex, job: Pick<Job, "id">, settled: readonly Settled[]): Promise<void> {
  return transaction(knex, async (trx) => {
    const { rows } = await trx.raw("select left_dead from dead_letter_jobs where job_id = ? for update", [job.id]);
    const { rows: changed } = await trx.raw<{ rows: { to: string; why: string | null }[] }>(
      `with told as (
         select u.* from unnest((:seqs)::bigint[], (:tenants)::text[], (:moments)::float8[], (:states)::text[], (:whys)::text[])
           as u(seq, tenant, moment, to_state, why)
       ), locked as (
         select d.seq, d.tenant, d.died_at, t.to_state, t.why from told t
         join dead_letters d on d.seq = t.seq and d.tenant = t.tenant and d.died_at = to_timestamp(t.moment / 1000)
         where d.state = 'claimed' and d.job_id = :job order by d.seq, d.tenant for update of d
       ), changed as (
         update dead_letters d set state = l.to_state,
           closed_at = case when l.to_state = 'dead' then null else now() end,
           job_id = case when l.to_state = 'dead' then null else d.job_id end
         from locked l where d.seq = l.seq and d.tenant = l.tenant and d.died_at = l.died_at
         returning d.tenant, d.stage, d.error_type, l.to_state, l.why
       ), ${counted("(select * from changed where to_state = 'dead') back", "count(*)")}
       select to_state as "to", why from changed`,
      {
        ...keysOf(settled),
        states: settled.map(({ to }) => to),
        whys: settled.map(({ why }) => why ?? null),
        job: job.id,
      },
    );
    const left: Record<string, number> = { ...rows[0]?.left_dead };
    for (const { to, why } of changed)
      if (to !== "redriven" && to !== "discarded") left[why ?? to] = (left[why ?? to] ?? 0) + 1;
    await trx.raw(
      `update dead_letter_jobs set redriven = redriven + :redriven, discarded = discarded + :discarded, left_dead = (:left)::jsonb
       where job_id = :id`,
      {
        id: job.id,
        redriven: changed.filter(({ to }) => to === "redriven").length,
        discarded: changed.filter(({ to }) => to === "discarded").length,
        left: JSON.stringify(left),
      },
    );
  });
}

/** Ends a job that has nothing more to do. The patch goes: it holds what a lead says. */
export async function endJob(knex: Knex, id: string, holder: string): Promise<Job | undefined> {
  const { rows } = await statement(() =>
    knex.raw(
      `update dead_letter_jobs j set state = case when j.cancelled_at is null then 'done' else 'cancelled' end, ended_at = now(),
         patch = null, holder = null, lease_until = null
       where j.job_id = ? and j.holder = ? returning ${jobColumns}`,
      [id, holder],
    ),
  );
  return rows[0];
}

/** Stops a job: what it has in hand is finished, nothing more is claimed. One that is over stays as it is. */
export async function cancelJob(knex: Knex, id: string, tenant: string | undefined): Promise<Job | undefined> {
  await statement(() =>
    knex.raw(
      `update dead_letter_jobs set cancelled_at = now() where job_id = :id and state = 'running' and cancelled_at is null
         and ${tenant === undefined ? "true" : "tenant = :tenant"}`,
      { id, ...(tenant === undefined ? {} : { tenant }) },
    ),
  );
  return findJob(knex, id, tenant);
}

function keysOf(letters: readonly (LetterKey & { tenant: string })[]) {
  return {
    seqs: letters.map(({ seq }) => seq),
    tenants: letters.map(({ tenant }) => tenant),
    moments: letters.map(({ diedAt }) => diedAt),
  };
}

/** Adds to the counts, in the order of their key, as the recorder does: none of the two waits for the other for ever. */
function counted(from: string, difference: string): string {
  return `counted as (
    insert into dead_letter_counts (tenant, stage, error_type, open)
    select tenant, stage, error_type, ${difference} from ${from} group by 1, 2, 3 order by 1, 2, 3
    on conflict (tenant, stage, error_type) do update set open = dead_letter_counts.open + excluded.open)`;
}

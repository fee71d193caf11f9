import type { Knex } from "knex";

/** Where a lead was found. `accepted`: somebody said that it was accepted. */
export type PlaceFound = "accepted" | "flight" | "dead";

/** `tenant` is "" where only the id is known; `revision` of a dead letter's lead. */
export interface Found {
  tenant: string;
  leadId: string;
  place: PlaceFound;
  revision?: number;
}

/** The terms of conservation, in the order they are told. */
export const terms = ["completed", "merged", "rejected", "dead", "discarded", "erased", "inFlight"] as const;
export type Term = (typeof terms)[number] | "broken";

/**
 * One database's half of an audit: what the streams held, in temporary tables of one connection, judged against the
 * record by set statements. Reads all of acceptances and leads once; locks nothing, writes nothing but its own tables.
 */
export class AuditTables {
  readonly #knex: Knex;
  readonly #connection: unknown;

  private constructor(knex: Knex, connection: unknown) {
    this.#knex = knex;
    this.#connection = connection;
  }

  static async open(knex: Knex): Promise<AuditTables> {
    const tables = new AuditTables(knex, await knex.client.acquireConnection());
    // It reads all there is.
    await tables.#run(`
      set enable_seqscan = on;
      create temporary table audit_found (tenant text, lead_id uuid, place text, revision bigint);
      create temporary table audit_verdict (tenant text, lead_id uuid, term text)`);
    return tables;
  }

  async close(): Promise<void> {
    try {
      await this.#run("drop table audit_found, audit_verdict");
    } finally {
      await this.#knex.client.releaseConnection(this.#connection);
    }
  }

  /** Notes what a stream held. Repeats are welcome. */
  async add(found: readonly Found[]): Promise<void> {
    await this.#run(`insert into audit_found select * from unnest(?::text[], ?::uuid[], ?::text[], ?::bigint[])`, [
      found.map((f) => f.tenant),
      found.map((f) => f.leadId),
      found.map((f) => f.place),
      found.map((f) => f.revision ?? null),
    ]);
  }

  /** Forgets what the streams held, before they are read again. */
  async forget(): Promise<void> {
    await this.#run("truncate audit_found");
  }

  /** Gives ids that came without a tenant the one that the record or a stream knows; others keep "". */
  async resolveTenants(): Promise<void> {
    await this.#run(`
      with known as (select lead_id, min(tenant) as tenant from audit_found where tenant <> '' group by lead_id)
      update audit_found f set tenant = coalesce(
        (select a.tenant from acceptances a where a.lead_id = f.lead_id limit 1),
        (select l.tenant from leads l where l.lead_id = f.lead_id limit 1),
        (select k.tenant from known k where k.lead_id = f.lead_id), '')
      where tenant = ''`);
    // Read out of a message that is none of ours: an id that nobody else knows is no lead.
    await this.#run("delete from audit_found where tenant = '' and place = 'dead'");
  }

  /**
   * Finds the term of every lead that was accepted, has a row, or stands in a stream. A lead that ended and is on its way
   * again by a later telling counts as ended; one that is dead and on its way was redriven.
   */
  async judge(tenant?: string): Promise<void> {
    await this.#run("analyze audit_found");
    const of = tenant === undefined ? "" : "where tenant = :tenant";
    await this.#run(
      `insert into audit_verdict
       select tenant, lead_id, ${term}
       from (select tenant, lead_id from acceptances ${of}) a
       full join (select tenant, lead_id, state, revision from leads ${of}) l using (tenant, lead_id)
       full join (${foundByLead} ${of} group by tenant, lead_id) f using (tenant, lead_id)`,
      tenant === undefined ? [] : { tenant },
    );
    await this.#run("analyze audit_verdict");
  }

  /** Judges those again that were broken, by what the streams hold now. Returns how many still are. */
  async judgeBroken(): Promise<number> {
    await this.#run("analyze audit_found");
    await this.#run(
      `with again as (
         select v.tenant, v.lead_id, ${term} as term
         from audit_verdict v
         left join leads l on l.tenant = v.tenant and l.lead_id = v.lead_id
         left join (${foundByLead} group by tenant, lead_id) f on f.tenant = v.tenant and f.lead_id = v.lead_id
         where v.term = 'broken'
       )
       update audit_verdict v set term = again.term from again
       where v.tenant = again.tenant and v.lead_id = again.lead_id and again.term <> 'broken'`,
    );
    return this.countBroken();
  }

  async countBroken(): Promise<number> {
    const { rows } = await this.#run("select count(*)::int as count from audit_verdict where term = 'broken'");
    return rows[0].count;
  }

  async counts(): Promise<{ tenant: string; term: Term; count: number }[]> {
    const { rows } = await this.#run(
      "select tenant, term, count(*)::float8 as count from audit_verdict group by tenant, term order by tenant",
    );
    return rows;
  }

  async broken(limit: number): Promise<{ tenant: string; leadId: string }[]> {
    const { rows } = await this.#run(
      `select tenant, lead_id as "leadId" from audit_verdict where term = 'broken' order by tenant, lead_id limit ?`,
      [limit],
    );
    return rows;
  }

  #run(sql: string, bindings: any = []): Promise<any> {
    return Promise.resolve(this.#knex.raw(sql, bindings).connection(this.#connection));
  }
}

/** `unread`: of a dead letter nobody can tell which telling it holds; a lead without a revision is told of with 0. */
const foundByLead = `select tenant, lead_id, bool_or(place = 'flight') as flight, bool_or(place = 'dead') as dead,
  bool_or(place = 'dead' and nullif(revision, 0) is null) as unread,
  max(revision) filter (where place = 'dead') as dead_revision from audit_found`;

/**
 * Only a letter of a later telling unsays an end: one of which nobody can read which telling it holds does not. A letter of
 * an earlier telling than the row's accounts for nothing: the later one has come to the record, and is elsewhere or lost.
 */
const term = `case
  when l.state in ('discarded', 'erased', 'merged') then l.state
  when l.state in ('completed', 'rejected') and (f.dead and not f.flight and f.dead_revision > l.revision) is not true then l.state
  when f.flight or exists (select from resumes r where r.lead_id = l.lead_id and r.tenant = l.tenant) then 'inFlight'
  when f.dead and (f.unread or (f.dead_revision < l.revision) is not true) then 'dead'
  else 'broken' end`;

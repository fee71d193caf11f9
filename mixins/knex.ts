import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import createKnex, { type Knex } from "knex";
import type { Settings } from "../config/settings.ts";
import { outage } from "./errors.ts";
import { TracedClient } from "./trace/knex-client.ts";

/** Logical shards; a tenant belongs to one, a shard to one database (tables `tenants`, `shards`). */
export const shardCount = 64;

/** The shard of a tenant that the directory does not place elsewhere. */
export function shardOf(tenant: string): number {
  return createHash("sha256").update(tenant).digest().readUInt32BE(0) % shardCount;
}

/**
 * The databases of the record. All that is a tenant's lives in one of them, so that a merge, a claim or a checkpoint is
 * one transaction. Today there is one database; every caller already asks by tenant and groups by database.
 */
export class Databases {
  readonly #settings: Settings;
  #main: Knex | undefined;
  /** Who waits for a connection, by the pool's own number, and since when: the longest first. */
  readonly #waiting = new Map<number, number>();
  /** Since when the first of those waited who gave up, since anybody was served last. */
  #unservedSince: number | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The database of a tenant. */
  of(_tenant: string): Knex {
    this.#main ??= this.#open();
    return this.#main;
  }

  #open(): Knex {
    const knex = openDatabase(this.#settings, { byIndex: true });
    const { pool } = knex.client as { pool?: Tarn };
    pool?.on("acquireRequest", (id) => this.#waiting.set(id, Date.now()));
    pool?.on("acquireSuccess", (id) => {
      this.#waiting.delete(id);
      this.#unservedSince = undefined;
    });
    pool?.on("acquireFail", (id) => {
      this.#unservedSince ??= this.#waiting.get(id);
      this.#waiting.delete(id);
    });
    return knex;
  }

  all(): { name: string; knex: Knex }[] {
    return [{ name: "main", knex: this.of("") }];
  }

  /** Splits things of several tenants by the database they belong to, order kept. */
  group<T>(things: readonly T[], tenantOf: (thing: T) => string): { knex: Knex; things: T[] }[] {
    const groups = new Map<Knex, T[]>();
    for (const thing of things) {
      const knex = this.of(tenantOf(thing));
      const group = groups.get(knex);
      if (group) group.push(thing);
      else groups.set(knex, [thing]);
    }
    return [...groups].map(([knex, grouped]) => ({ knex, things: grouped }));
  }

  /** How the pools stand; nothing of a database that was never asked. */
  pools(): PoolState[] {
    if (!this.#main) return [];
    const { pool } = this.#main.client as { pool?: Tarn };
    if (!pool) return [];
    const [used, free, waiting] = [pool.numUsed(), pool.numFree(), pool.numPendingAcquires()];
    const limit = this.#settings.databasePool;
    // Below its limit one waits for a connection to be made: the database is slow or down, the pool is not used up.
    if (used < limit) this.#unservedSince = undefined;
    const since = used < limit ? undefined : (this.#unservedSince ?? this.#waiting.values().next().value);
    return [{ name: "main", used, free, waiting, limit, waitingSince: since ?? null }];
  }

  /** Resolves when every database answers; throws what the first one that does not says. */
  async ping(): Promise<void> {
    await Promise.all(this.all().map(({ knex }) => knex.raw("select 1")));
  }

  async close(): Promise<void> {
    await this.#main?.destroy();
  }
}

/** How the pool of a database stands. */
export interface PoolState {
  name: string;
  used: number;
  free: number;
  /** Who waits for a connection. */
  waiting: number;
  limit: number;
  /** All are taken: since when somebody has waited, and nobody was given one, ms since 1970; else null. */
  waitingSince: number | null;
}

/** What Knex's pool tells of itself (https://github.com/vincit/tarn.js). */
interface Tarn {
  on(event: "acquireRequest" | "acquireSuccess" | "acquireFail", listener: (id: number) => void): void;
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
}

/**
 * `byIndex`: no table is read from end to end where an index could serve. For statements that know their rows by key: where
 * there are few rows a scan is the cheaper plan, and a plan that is kept goes on with it when there are many.
 */
export function openDatabase(
  settings: Pick<Settings, "databaseUrl" | "databasePool" | "statementTimeoutMs">,
  { byIndex = false } = {},
): Knex {
  return createKnex({
    client: TracedClient as unknown as typeof Knex.Client,
    connection: {
      connectionString: settings.databaseUrl,
      application_name: "leads",
      ...(byIndex && { options: "-c enable_seqscan=off" }),
      statement_timeout: settings.statementTimeoutMs,
      idle_in_transaction_session_timeout: settings.statementTimeoutMs * 2,
      // A server that is frozen cannot cancel its statement itself: the client gives up a little later.
      query_timeout: settings.statementTimeoutMs + 2_000,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    },
    pool: { min: 0, max: settings.databasePool },
    acquireConnectionTimeout: acquireMs,
    // An error's message would else hold the statement with what was bound to it: leads, which it takes into the log.
    compileSqlOnError: false,
    // What Knex would print, past our log: every fault of a connection also comes as the error of a statement.
    log: { debug: silent, warn: silent, error: silent, deprecate: silent },
  });
}

const silent = () => {};
/** How long one waits for a connection of the pool, ms. */
const acquireMs = 10_000;

/**
 * SQLSTATE classes and codes that mean "the database is not there for anyone", not "this statement is wrong". A timeout
 * (57014, 55P03, 25P03) is one: a lock or a slow disk holds up whoever comes. What one batch alone meets again and again
 * is split all the same (mixins/actor/outage.ts).
 */
const outageStates = /^(08|57P0[1-5]|57014|55P03|25P03|53|25006|55000)/;
const outageErrors = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
]);

const poolTimeout = "KnexTimeoutError";
/** Knex's own words guess at a fault of the code. */
const poolUsedUp = new Error(`no connection of the pool came free within ${acquireMs / 1_000} s`);

/** Is the database down (or out of connections), so that the stage should wait rather than burn retries? */
export function isDatabaseOutage(error: unknown): boolean {
  const { code, message, name } = (error ?? {}) as { code?: string; message?: string; name?: string };
  if (code !== undefined) return outageErrors.has(code) || (/^[0-9A-Z]{5}$/.test(code) && outageStates.test(code));
  return (
    name === poolTimeout ||
    /Connection terminated|Connection ended|Client has encountered a connection error|timeout expired|error establishing an SSL connection|server closed the connection|Query read timeout|Client was closed|is not queryable/i.test(
      message ?? "",
    )
  );
}

/** A deadlock or a serialization failure: the same transaction, run again, succeeds. */
export function isTransient(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: string };
  return code === "40P01" || code === "40001";
}

/** Runs of a transaction that deadlocks or fails to serialize before its error is let through. */
const transientRuns = 6;

/**
 * Runs `fn` in one transaction. A deadlock or serialization failure runs it again (up to 6 runs, short random waits), so
 * `fn` must have no effect outside the database. A database that is down throws the `OUTAGE` error with dependency
 * `postgres`, on which a stage waits; after one, a commit's fate may be unknown: `fn` must be harmless when repeated.
 * Any other error is thrown as it came.
 */
export function transaction<T>(knex: Knex, fn: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
  return statement(() => knex.transaction(fn));
}

/**
 * A statement of every batch that each connection plans once (and a few times more, until PostgreSQL trusts the plan): over
 * tables in eight or sixteen parts planning takes it 1 to 3 ms, often longer than it runs. `name` is this text's alone.
 * Worth its name where planning is a good part. Not for one whose best plan hangs on its values. The plan is made while the
 * record is small, perhaps, and kept while it grows: test/mesh/young-record.test.ts has those of every lead planned by keys.
 */
export function planned<T>(name: string, raw: Knex.Raw<T>): Knex.Raw<T> {
  return raw.options({ name });
}

/**
 * A {@link planned} statement with its arrays (`cast(:name as type[])`) out of the planner's sight. With one lead in them it
 * takes a plan for just that one to be the cheaper one, and makes it anew each time: 2 to 3 ms, as long as the statement.
 */
export const unseen = (sql: string): string => sql.replaceAll(/cast\(:\w+ as \w+\[\]\)/g, "(select $&)");

/**
 * Runs one statement that commits by itself; errors and repeats as with {@link transaction}.
 *
 * One that locks rows (`for update`, `for share`; an update or a delete of rows that were not locked before locks them, too)
 * must look up all that it needs by the keys of partitioned tables before its first lock, or leave it to the next statement.
 * PostgreSQL 18.0 to 18.4, having looked at a locked row again because
 * another had changed it, chooses partitions by memory that it has freed by then, and crashes (its commit 1b5dd3a mends it).
 */
export async function statement<T>(run: () => PromiseLike<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await run();
    } catch (error) {
      if (isDatabaseOutage(error)) throw outage("postgres", (error as Error).name === poolTimeout ? poolUsedUp : error);
      if (!isTransient(error) || count >= transientRuns) throw error;
      await setTimeout(Math.random() * 10 * 2 ** count);
    }
  }
}

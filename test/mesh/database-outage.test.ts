import assert from "node:assert/strict";
import type { Knex } from "knex";
import { createDatabase } from "../../bin/stack/postgres.ts";
import { loadSettings } from "../../config/settings.ts";
import { Databases, statement, transaction } from "../../mixins/knex.ts";
import { eventually } from "../support/eventually.ts";
import { type OwnServer, ownPostgres } from "../support/servers.ts";

/** What a stage sees of an error: whether to wait, and for what. */
const seen = (error: any) => ({ type: error.type, dependency: error.data?.dependency, retryable: error.retryable });
const outage = { type: "OUTAGE", dependency: "postgres", retryable: true };
const poolSize = 4;
const errorOf = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    () => assert.fail("it succeeded"),
    (error) => error,
  );

describe("a database that fails", function () {
  this.timeout(60_000);
  let server: OwnServer;
  let url: string;
  let databases: Databases;
  before(async () => {
    server = await ownPostgres();
    url = await createDatabase(server.url, "faults");
    databases = new Databases(
      loadSettings({
        LEADS_DATABASE_URL: url,
        LEADS_STATEMENT_TIMEOUT_MS: "500",
        LEADS_DATABASE_POOL: String(poolSize),
      }),
    );
    await databases.of("").raw("create table counters (id int primary key, n int not null)");
    await databases.of("").raw("insert into counters values (1, 0), (2, 0)");
  });
  after(async () => {
    await databases?.close();
    await server?.[Symbol.asyncDispose]();
  });
  const one = () => statement(() => databases.of("").raw("select 1"));
  /** Has all the connections that the pool may hold wait in it: statements alone would share what is there first. */
  const fillPool = async () => {
    const { promise: all, resolve } = Promise.withResolvers<void>();
    let taken = 0;
    const take = async (trx: Knex.Transaction) => {
      await trx.raw("set local idle_in_transaction_session_timeout = 0");
      if (++taken === poolSize) resolve();
      await all;
    };
    await Promise.all(Array.from({ length: poolSize }, () => transaction(databases.of(""), take)));
  };

  it("is an outage when it ends the connection in the middle of a transaction, and is back with the next one", async () => {
    const knex = databases.of("");
    const error = await errorOf(
      transaction(knex, async (trx) => {
        const { rows } = await trx.raw("select pg_backend_pid() as pid");
        await trx.raw("update counters set n = n + 1 where id = 1");
        await knex.raw("select pg_terminate_backend(?)", [rows[0].pid]);
        await trx.raw("update counters set n = n + 1 where id = 2");
      }),
    );
    assert.deepEqual(seen(error), outage);
    assert.deepEqual(await knex("counters").sum("n as n").first(), { n: "0" });
  });

  it("is an outage when it ends a connection that waits in the pool", async () => {
    await fillPool();
    // When this is over they have ended, not only been told to: none of them serves one more statement first.
    await transaction(databases.of(""), async (trx) => {
      await trx.raw("set local statement_timeout = 10000");
      const { rows } = await trx.raw(
        `select pg_terminate_backend(pid, 2000) as ended from pg_stat_activity
         where datname = current_database() and application_name = 'leads' and pid <> pg_backend_pid()`,
      );
      assert.deepEqual(rows, Array(poolSize - 1).fill({ ended: true }));
    });
    const results = await Promise.allSettled([one(), one(), one(), one()]);
    for (const result of results) if (result.status === "rejected") assert.deepEqual(seen(result.reason), outage);
    await one();
  });

  it("gives nobody a connection that it has just ended under a statement", async () => {
    await fillPool();
    const ending = statement(() => databases.of("").raw("select pg_terminate_backend(pg_backend_pid())"));
    assert.deepEqual(seen(await errorOf(ending)), outage);
    await Promise.all([one(), one(), one(), one()]);
  });

  it("is an outage while it is gone, and no longer when it is back", async () => {
    await server.kill();
    assert.deepEqual(seen(await errorOf(one())), outage);
    assert.deepEqual(seen(await errorOf(transaction(databases.of(""), (trx) => trx.raw("select 1")))), outage);
    await server.start();
    await one();
  });

  it("is an outage while it is frozen: it answers nothing, not even that a statement takes too long", async () => {
    const knex = databases.of("");
    await one();
    const { rows } = await knex.raw("select pid from pg_stat_activity where datname = current_database()");
    const backends: number[] = rows.map((row: { pid: number }) => row.pid);
    server.freeze();
    for (const pid of backends) process.kill(pid, "SIGSTOP");
    try {
      const started = Date.now();
      assert.deepEqual(seen(await errorOf(one())), outage);
      assert.deepEqual(seen(await errorOf(transaction(knex, (trx) => trx.raw("select 1")))), outage);
      assert.ok(Date.now() - started < 20_000, "it is noticed within seconds");
    } finally {
      for (const pid of backends) process.kill(pid, "SIGCONT");
      server.thaw();
    }
    await eventually("it answers again", one);
  });

  it("is an outage while it is frozen and there is no connection yet: it takes one, and says nothing", async () => {
    const fresh = new Databases(loadSettings({ LEADS_DATABASE_URL: url }));
    server.freeze();
    try {
      assert.deepEqual(seen(await errorOf(statement(() => fresh.of("").raw("select 1")))), outage);
    } finally {
      server.thaw();
      await fresh.close();
    }
    await eventually("it answers again", one);
  });

  it("runs two transactions that deadlock both to their end", async () => {
    const knex = databases.of("");
    let held = 0;
    const both = Promise.withResolvers<void>();
    const runs = [0, 0];
    const crossing = (who: number, first: number, second: number) =>
      transaction(knex, async (trx) => {
        runs[who]!++;
        await trx.raw("set local statement_timeout = 10000");
        await trx.raw("update counters set n = n + 1 where id = ?", [first]);
        if (++held === 2) both.resolve();
        await both.promise;
        await trx.raw("update counters set n = n + 1 where id = ?", [second]);
      });
    await Promise.all([crossing(0, 1, 2), crossing(1, 2, 1)]);
    assert.equal(runs[0]! + runs[1]!, 3, "one of them ran again");
    assert.deepEqual(await knex("counters").sum("n as n").first(), { n: "4" });
  });

  it("is an outage when a statement takes too long, as one that waits for somebody's lock does", async () => {
    const slow = await errorOf(statement(() => databases.of("").raw("select pg_sleep(5)")));
    assert.deepEqual(seen(slow), outage);
  });

  it("is no outage when only the statement is wrong", async () => {
    const knex = databases.of("");
    const wrong = await errorOf(transaction(knex, (trx) => trx.raw("select no_such_column from counters")));
    assert.deepEqual([wrong.type, wrong.code], [undefined, "42703"]);
    const own = new Error("the caller's own");
    assert.equal(await errorOf(transaction(knex, async () => Promise.reject(own))), own);
  });
});

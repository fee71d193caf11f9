import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { type Act, patienceMs, type RowAct } from "../act.ts";
import type { Fault } from "../rows.ts";
import { statements } from "./servers.ts";

const busy = (act: Act): Promise<number> => act.until("statements run", () => statements(act), patienceMs, 5);

/** `but`: what is bound to it are the pids of those that live on. */
const endBackends = (but: string) => `select count(pg_terminate_backend(pid))::int as n from pg_stat_activity
  where datname = current_database() and application_name = 'leads' and pid <> pg_backend_pid()
    and pid <> all(${but}::int[])`;

/** The driver's own connections are of the same name and must live. */
async function ownPids({ world }: Act): Promise<number[]> {
  const { rows } = await world.knex.raw("select pg_backend_pid() as pid");
  return rows.map(({ pid }: { pid: number }) => pid);
}

/** Ends every session of the mesh, several times over. */
export const terminate: Fault = {
  what: "postgres: pg_terminate_backend of all sessions",
  cuts: ["payments"],
  async strike(act) {
    for (let n = 0; n < 5; n++) {
      const inHand = await busy(act);
      const { rows } = await act.world.knex.raw(endBackends("?"), [await ownPids(act)]);
      act.struck("postgres", Math.min(inHand, rows[0].n));
      await delay(act.random.whole(100, 500));
    }
    act.healed();
  },
};

/** Another holds every second lead that is on its way, waits until the mesh waits for it, and then wants the rest. */
export const deadlocks: Fault<RowAct> = {
  what: "postgres: deadlocks",
  async strike(act) {
    const { load } = act;
    const { knex, settings } = act.world;
    const ask = async (sql: string): Promise<number> => Number((await knex.raw(sql)).rows[0].n);
    const count = () => ask("select deadlocks as n from pg_stat_database where datname = current_database()");
    const before = await count();
    const other = new pg.Client({ connectionString: settings.databaseUrl });
    // Else a server that goes away meanwhile would end the run, not the row.
    other.on("error", () => {});
    await other.connect();
    try {
      // Whoever waits longer than its deadlock_timeout looks for a circle and is the victim: let that be the mesh.
      await other.query("set deadlock_timeout = '30s'; set statement_timeout = '10s'");
      const pid = Number((await other.query("select pg_backend_pid() as pid")).rows[0].pid);
      const onTheirWay = `select from leads where tenant = '${act.load.tenant}' and state = 'in_progress'`;
      for (const until = Date.now() + patienceMs; Date.now() < until && (await count()) === before; ) {
        // Only who writes several leads at once can have one and wait for another.
        if (load.importDone) await load.import(act.leads);
        await other.query("begin");
        await other.query(`${onTheirWay} and get_byte(uuid_send(lead_id), 15) % 2 = 0 for update skip locked`);
        const someoneWaits = `select count(*) as n from pg_stat_activity where ${pid} = any(pg_blocking_pids(pid))`;
        for (let looks = 0; looks < 50 && (await ask(someoneWaits)) === 0; looks++) await delay(20);
        await other.query(`${onTheirWay} for update`).catch(() => {});
        await other.query("rollback");
      }
    } finally {
      await other.end();
    }
    act.struck("deadlocks", (await count()) - before);
    act.healed();
  },
};

/** A lock on the leads, for longer than any statement may take. */
export const lock: Fault = {
  what: "postgres: a lock held past the statement timeout",
  async strike(act) {
    const { knex, clock } = act.world;
    const inHand = await busy(act);
    await knex.transaction(async (trx) => {
      await trx.raw("lock table leads in access exclusive mode");
      act.struck("postgres", inHand);
      await delay(clock.statementTimeoutMs * 3 + act.random.whole(0, 1_000));
    });
    act.healed();
  },
};

/** Others take every connection that the server gives. */
export const connections: Fault = {
  what: "postgres: connection limit reached",
  cuts: ["payments"],
  async strike(act) {
    const { settings, clock } = act.world;
    const taken: pg.Client[] = [];
    // A connection of its own: one that the driver gave back to its pool could be had no more.
    const own = new pg.Client({ connectionString: settings.databaseUrl, application_name: "others" });
    await own.connect();
    let refused = 0;
    const pids = await ownPids(act);
    const inHand = await busy(act);
    const fill = async () => {
      for (;;) {
        const client = new pg.Client({ connectionString: settings.databaseUrl, application_name: "others" });
        client.on("error", () => {});
        try {
          await client.connect();
          taken.push(client);
        } catch (error) {
          if ((error as { code?: string }).code !== "53300") throw error;
          refused++;
          return;
        }
      }
    };
    try {
      await fill();
      act.struck("postgres", inHand);
      const until = Date.now() + clock.outageMs;
      while (Date.now() < until) {
        await own.query(endBackends("$1"), [pids]);
        await fill();
        await delay(100);
      }
    } finally {
      await Promise.all([own, ...taken].map((client) => client.end()));
    }
    if (refused === 0) throw new Error("nobody was ever refused");
    act.healed();
  },
};

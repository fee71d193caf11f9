import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Act } from "../act.ts";
import type { Fault } from "../rows.ts";
import { statements } from "./servers.ts";

const busy = (act: Act): Promise<number> => act.until("statements run", () => statements(act), 60_000, 5);

const endBackends = `select count(pg_terminate_backend(pid))::int as n from pg_stat_activity
  where datname = current_database() and application_name = 'leads' and pid <> pg_backend_pid()
    and pid <> all(?::int[])`;

/** The driver's own connections are of the same name and must live. */
async function ownPids({ world }: Act): Promise<number[]> {
  const { rows } = await world.knex.raw("select pg_backend_pid() as pid");
  return rows.map(({ pid }: { pid: number }) => pid);
}

/** Ends every session of the mesh, several times over. */
export const terminate: Fault = {
  what: "postgres: pg_terminate_backend of all sessions",
  async strike(act) {
    for (let n = 0; n < 5; n++) {
      const inHand = await busy(act);
      const { rows } = await act.world.knex.raw(endBackends, [await ownPids(act)]);
      act.struck("postgres", Math.min(inHand, rows[0].n));
      await delay(act.random.whole(100, 500));
    }
    act.healed();
  },
};

/** Another locks the rows that the mesh is about to write, one by one, from the other end. */
export const deadlocks: Fault = {
  what: "postgres: deadlocks",
  async strike(act) {
    const { knex, settings, clock } = act.world;
    const count = async () =>
      Number(
        (await knex.raw("select deadlocks from pg_stat_database where datname = current_database()")).rows[0].deadlocks,
      );
    const before = await count();
    const other = new pg.Client({ connectionString: settings.databaseUrl });
    await other.connect();
    try {
      // Whoever waits longer than its deadlock_timeout looks for a circle and is the victim: let that be the mesh.
      await other.query("set deadlock_timeout = '30s'; set statement_timeout = '30s'");
      const until = Date.now() + 10 * clock.outageMs;
      while (Date.now() < until && (await count()) === before) {
        await other
          .query(
            `do $$ declare id uuid; begin
             for id in select lead_id from leads where tenant = '${act.load.tenant}' and state = 'in_progress'
               order by lead_id desc limit 200 loop
               perform from leads where lead_id = id and tenant = '${act.load.tenant}' for update;
               perform pg_sleep(0.005);
             end loop; end $$`,
          )
          .catch(() => {});
        await knex.raw("select pg_stat_clear_snapshot()");
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
  async strike(act) {
    const { knex, settings, clock } = act.world;
    const taken: pg.Client[] = [];
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
        await knex.raw(endBackends, [pids]);
        await fill();
        await delay(100);
      }
    } finally {
      await Promise.all(taken.map((client) => client.end()));
    }
    if (refused === 0) throw new Error("nobody was ever refused");
    act.healed();
  },
};

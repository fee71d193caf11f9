import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { NatsError } from "nats";
import { jsApi } from "../../../mixins/jetstream.ts";
import type { OwnServer } from "../../support/servers.ts";
import { type Act, patienceMs, type RowAct } from "../act.ts";
import { memberName } from "../cluster.ts";
import type { Cuttable } from "../judge.ts";
import { storeBytes } from "../nats.ts";
import type { Fault } from "../rows.ts";

type Which = "nats" | "postgres" | "redis";
type Way = "kill" | "freeze" | "cut" | "restart";

const words: Record<Way, string> = {
  kill: "kill -9, started again",
  freeze: "SIGSTOP past every timeout, SIGCONT",
  cut: "all connections to it cut",
  restart: "restarted in order, with what it has stored",
};

/**
 * What is cut in two when a server is away: a sender that is not told what came of an e-mail hands it over no more, and a
 * payment whose reservation or answer was lost is made again. What a sender tells PostgreSQL it tells until it is heard.
 */
const cutBy: Record<Which, readonly Cuttable[]> = { nats: ["mails", "payments"], postgres: ["payments"], redis: [] };

/** What a server holds of work: envelopes in hands for NATS and Redis, statements for PostgreSQL. */
function inHand(act: Act, which: Which): Promise<number> {
  const found = () => (which === "postgres" ? statements(act) : act.world.allInHand());
  return act.until(`${which} is in use`, found, patienceMs, 5);
}

export async function statements({ world }: Act): Promise<number> {
  const { rows } = await world.knex.raw(
    `select count(*)::int as n from pg_stat_activity
     where datname = current_database() and application_name = 'leads' and state <> 'idle' and pid <> pg_backend_pid()`,
  );
  return rows[0].n;
}

export function server(which: Which, way: Way): Fault {
  return {
    what: `${which}: ${words[way]}`,
    cuts: cutBy[which],
    async strike(act) {
      const { world } = act;
      const one = which === "nats" ? world.natsServers[0]! : world[which];
      if (!one) throw new Error("there is no redis-server on this machine");
      act.struck(which, await inHand(act, which));
      if (way === "cut") await cutAll(act, which);
      else if (way === "freeze") await freezeAll(one, world.clock.freezeMs);
      else {
        await (way === "kill" ? one.kill() : one.stop());
        // How much slower answers are without Redis is told by more than a few of them.
        await delay(which === "redis" ? world.clock.outageMs : act.random.whole(200, 2_000));
        await one.start();
        if (which === "nats") await act.until("the driver hears NATS again", () => jsApi(world.nats, "INFO"));
      }
      act.healed();
    },
  };
}

const lineOf: Record<Which, number> = { nats: 0, postgres: 1, redis: 2 };

async function cutAll({ world }: Act, which: Which): Promise<void> {
  const lines = [...world.nodes.values()].map((node) => node.lines[lineOf[which]]!);
  for (const line of lines) await line.silence();
  await delay(world.clock.outageMs);
  for (const line of lines) await line.restore();
}

/** A server and its children: PostgreSQL is a process a connection. */
async function freezeAll(one: OwnServer, ms: number): Promise<void> {
  one.freeze();
  const children = childrenOf(one.pid!);
  for (const pid of children) process.kill(pid, "SIGSTOP");
  await delay(ms);
  for (const pid of children) process.kill(pid, "SIGCONT");
  one.thaw();
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
      } catch {
        return false;
      }
    });
}

const ballast = "ballast";
const block = new Uint8Array(1_000_000);
const atOnce = 8;

/**
 * Others fill the store up to its limit; publishers are told so, wait, and go on when there is room again. Retries of the
 * poison that comes just before are due meanwhile.
 */
export const fullStore: Fault<RowAct> = {
  what: "nats: its store is full",
  async strike(act) {
    const { nats, clock } = act.world;
    const jsm = await act.world.streams();
    await jsm.streams.add({ name: ballast, subjects: [ballast] });
    try {
      act.struck("nats", await inHand(act, "nats"));
      let isFull = false;
      const publish = () =>
        nats
          .jetstream()
          .publish(ballast, block, { timeout: 30_000 })
          .catch((error: NatsError) => {
            if (!error.isJetStreamError()) throw error;
            isFull = true;
          });
      const publishSome = () => Promise.all(Array.from({ length: atOnce }, publish));
      const room = async () => storeBytes - (await jsApi(nats, "INFO")).storage;
      while ((await room()) > 2 * atOnce * block.length && !isFull) await publishSome();
      await act.load.sendPoison();
      for (let n = 0; n < storeBytes / block.length && !isFull; n += atOnce) await publishSome();
      if (!isFull) throw new Error("the store was never full");
      await delay(clock.outageMs);
    } finally {
      await jsm.streams.delete(ballast);
    }
    act.healed();
  },
};

/** Kills the server that leads the first mailbox, starts it again, and the next leader, again and again. */
export function leader(kills: number): Fault {
  return {
    what: `a cluster of three: kill -9 of the leader, ${kills} times`,
    cuts: cutBy.nats,
    async strike(act) {
      const { world } = act;
      const stream = world.names.mailbox("enrich").stream;
      for (let n = 0; n < kills; n++) {
        const jsm = await world.streams();
        let name: string | undefined;
        await act.until("every copy of the mailbox is current", async () => {
          const { cluster } = await jsm.streams.info(stream);
          name = cluster?.leader;
          return (
            (cluster?.replicas ?? []).length === 2 && cluster!.replicas!.every((r) => r.current) && name !== undefined
          );
        });
        const at = [0, 1, 2].find((member) => memberName(member) === name)!;
        act.struck(`${name} leads`, await inHand(act, "nats"));
        await world.natsServers[at]!.kill();
        await delay(act.random.whole(500, 3_000));
        await world.natsServers[at]!.start();
      }
      act.healed();
    },
  };
}

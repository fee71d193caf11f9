import { setTimeout as delay } from "node:timers/promises";
import { type Act, patienceMs, type RowAct } from "../act.ts";
import { Breakpoint } from "../breakpoint.ts";
import type { MeshProcess } from "../node.ts";
import { openPayments } from "../proof.sql.ts";
import type { Fault } from "../rows.ts";
import { minHealthyMs, stages } from "../world.ts";
import { cutBy, places } from "./steps.ts";

/** What a process can have in hand, as others see it. */
interface Hands {
  count(act: Act): Promise<number>;
  /** Has those that it waits for take their time, until what this returns is called: else a call may be over before it is seen. */
  linger?(act: Act): () => void;
}

const lingerMs = 1_000;
const sites: Hands = {
  count: async ({ world }) => world.sites.open,
  linger: ({ world }) => slowed(world.sites),
};
const pagespeed: Hands = {
  count: async ({ world }) => world.pagespeed.open,
  linger: ({ world }) => slowed(world.pagespeed),
};
/** The SMTP server has taken an e-mail, and has not said so. */
const mails: Hands = {
  count: async ({ world }) => world.box.held,
  linger({ world }) {
    world.box.hold("answer");
    return () => world.box.letGo();
  },
};
const hands: Record<string, Hands> = {
  ...Object.fromEntries(stages.map((stage) => [stage, { count: ({ world }: Act) => world.inHand(stage) }])),
  site: sites,
  pagespeed,
  budget: { ...pagespeed, count: ({ world }) => openPayments(world.knex) },
  smtp: mails,
  sender: mails,
};

function slowed(server: { delayMs: number }): () => void {
  const usual = server.delayMs;
  server.delayMs = lingerMs;
  return () => {
    server.delayMs = usual;
  };
}

/** What is on its way to a frozen process, or from it, has arrived after this, ms. */
const settleMs = 40;
/** So long a process that was frozen a moment too late stands still: what it has asked for comes meanwhile. */
const stillMs = 400;
/** How often a process that is to have work is fed. */
const feedEveryMs = 100;

/**
 * Freezes a process at a moment when it certainly has work in hand: what is counted while it stands still cannot have
 * been finished in between. Lets it go on, and looks again, until it has.
 */
export async function catchWithWork(
  act: Act,
  who: { name: string; freeze(): void; thaw(): void },
  inHand: () => Promise<number>,
): Promise<number> {
  let found = 0;
  await act.until(
    `${who.name} has work in hand`,
    async () => {
      if ((await inHand()) === 0) return false;
      who.freeze();
      try {
        for (const until = Date.now() + stillMs; found === 0 && Date.now() < until; ) {
          await delay(settleMs);
          found = await inHand();
        }
      } finally {
        if (found === 0) who.thaw();
      }
      return found > 0;
    },
    patienceMs,
    3 + act.random.whole(0, 5),
  );
  return found;
}

/** A process with work in hand, frozen. It is the only one of its kind: what others see in hand is that of all. */
async function caught(act: Act, name: string): Promise<MeshProcess> {
  const node = act.world.nodes.get(name)!;
  const { count, linger } = hands[name]!;
  const hurry = linger?.(act);
  try {
    act.struck(name, await catchWithWork(act, node, () => count(act)));
  } finally {
    hurry?.();
  }
  return node;
}

/** kill -9 with work in hand; its supervisor starts it again. */
export function kill(name: string): Fault {
  return {
    what: `${name}: kill -9`,
    cuts: cutBy[name] ?? [],
    async strike(act) {
      const node = await caught(act, name);
      await node.kill();
      act.healed();
    },
  };
}

/** SIGSTOP with work in hand, past every timeout, and SIGCONT. */
export function freeze(name: string): Fault {
  return {
    what: `${name}: SIGSTOP past every timeout, SIGCONT`,
    cuts: cutBy[name] ?? [],
    async strike(act) {
      const node = await caught(act, name);
      await delay(act.world.clock.freezeMs);
      node.thaw();
      act.healed();
    },
  };
}

/** All its connections fall silent with work in hand, and are closed when the line is whole again. */
export function cut(name: string): Fault {
  return {
    what: `${name}: its connections cut`,
    cuts: cutBy[name] ?? [],
    async strike(act) {
      const node = await caught(act, name);
      for (const line of node.lines) await line.silence();
      node.thaw();
      await delay(act.world.clock.outageMs);
      for (const line of node.lines) await line.restore();
      act.healed();
    },
  };
}

/** A line at which a process has something in hand, by the name of what it runs. */
const atWork: Readonly<Record<string, keyof typeof places>> = {
  ...Object.fromEntries(stages.map((stage) => [stage, "read"])),
  admission: "given",
  leads: "told",
  leads2: "told",
  site: "fetched",
  pagespeed: "answered",
  budget: "reserved",
  smtp: "delivered",
  sender: "sent",
  gateway: "stored",
  gateway2: "stored",
};

/**
 * SIGTERM to a process that certainly has work in hand: it stands at a line between two steps when it is told. One that is
 * told while it has none shows nothing. What others see in hand may be another instance's. `feed`: gives it work, again and
 * again until it stands there.
 */
async function leave(act: Act, name: string, node: MeshProcess, feed = async () => {}): Promise<void> {
  const place = places[atWork[name]!];
  using breakpoint = await Breakpoint.set(node, place);
  let isReached = false;
  const reached = breakpoint.reached(patienceMs).finally(() => {
    isReached = true;
  });
  // Told when it is awaited.
  reached.catch(() => {});
  for (; !isReached; await delay(feedEveryMs)) await feed();
  act.struck(`${node.name}, which ${place.what}`, await reached);
  const left = node.retire();
  // It goes on, and hears of it.
  breakpoint[Symbol.dispose]();
  await left;
}

/** A second instance comes under load and goes again, by SIGTERM. */
export function scale(name: string): Fault {
  return {
    what: `${name}: a second instance comes under load, and goes`,
    async strike(act) {
      const inHand = () => act.world.inHand(name);
      act.struck(name, await act.until("work is in hand", inHand));
      const second = await act.world.another(name);
      await delay(1_000 + act.random.whole(0, 1_000));
      await leave(act, name, second);
      act.world.nodes.delete(second.name);
      act.healed();
    },
  };
}

/**
 * Every process (or each of `names`, and the gateways) is replaced by a new one, one after another: the new one is up
 * before the old one is told to leave. A gateway is started again at its own address.
 */
export function rolling(names?: readonly string[]): Fault<RowAct> {
  return {
    what: `rolling restart of ${names?.join(", ") ?? "every process"}${names ? " and the gateways" : ""}`,
    async strike(act) {
      const { world, load } = act;
      for (const name of names ?? [...world.nodes.keys()]) {
        if (name.startsWith("gateway")) continue;
        const old = world.nodes.get(name)!;
        const next = await world.another(name);
        await delay(minHealthyMs);
        // Single leads pass admission by, and keep all others at work. Of two that are idle one takes all that comes.
        const isFed = name === "admission";
        if (isFed) next.freeze();
        await leave(act, name, old, async () => {
          if (isFed && load.importDone) await load.import(act.leads);
        }).finally(() => next.thaw());
        world.nodes.delete(next.name);
        world.nodes.set(name, next);
      }
      for (const [at, name] of ["gateway", "gateway2"].entries()) {
        load.client.use(at);
        await world.restart(name, [], (old) => leave(act, name, old));
        await world.ready(at);
        await delay(minHealthyMs);
      }
      act.healed();
    },
  };
}

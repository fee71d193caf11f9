import { setTimeout as delay } from "node:timers/promises";
import { consumerInfo } from "../../../mixins/jetstream.ts";
import { type Act, patienceMs } from "../act.ts";
import type { MeshProcess } from "../node.ts";
import { openPayments } from "../proof.sql.ts";
import type { Fault } from "../rows.ts";
import { minHealthyMs, stages } from "../world.ts";

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
  admission: {
    count: ({ world, load }) => pendingOf(world, world.names.intake.stream, world.names.intake.consumer(load.tenant)),
  },
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

async function pendingOf({ nats }: Act["world"], stream: string, consumer: string): Promise<number> {
  return (await consumerInfo(nats, stream, consumer)).num_ack_pending;
}
/** What is on its way to a frozen process, or from it, has arrived after this, ms. */
const settleMs = 40;
/** So long a process that was frozen a moment too late stands still: what it has asked for comes meanwhile. */
const stillMs = 400;

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

/** A second instance comes under load and goes again, by SIGTERM. */
export function scale(name: string): Fault {
  return {
    what: `${name}: a second instance comes under load, and goes`,
    async strike(act) {
      act.struck(name, await busy(act, name));
      const second = await act.world.another(name);
      await delay(1_000 + act.random.whole(0, 1_000));
      act.struck(`${name}, at scale-in`, await busy(act, name));
      await second.retire();
      act.world.nodes.delete(second.name);
      act.healed();
    },
  };
}

/**
 * Every process (or each of `names`, and the gateways) is replaced by a new one, one after another: the new one is up
 * before the old one is told to leave.
 */
export function rolling(names?: readonly string[]): Fault {
  return {
    what: `rolling restart of ${names?.join(", ") ?? "every process"}${names ? " and the gateways" : ""}`,
    async strike(act) {
      const { world } = act;
      act.struck("all stages", await busy(act));
      for (const name of names ?? [...world.nodes.keys()]) {
        if (name.startsWith("gateway")) continue;
        const old = world.nodes.get(name)!;
        const next = await world.another(name);
        await delay(minHealthyMs);
        await old.retire();
        world.nodes.delete(next.name);
        world.nodes.set(name, next);
      }
      await world.rollGateways();
      act.healed();
    },
  };
}

/** Waits for a moment at which the stage, or any stage, has something in hand. */
function busy(act: Act, name?: string): Promise<number> {
  return act.until("work is in hand", () => (name === undefined ? act.world.allInHand() : act.world.inHand(name)));
}

import { setTimeout as delay } from "node:timers/promises";
import type { Act } from "../act.ts";
import type { MeshProcess } from "../node.ts";
import { openPayments } from "../proof.sql.ts";
import type { Fault } from "../rows.ts";
import { minHealthyMs, stages } from "../world.ts";

/** What each process can have in hand, as others see it. */
export const hands: Record<string, (act: Act) => Promise<number>> = {
  ...Object.fromEntries(stages.map((stage) => [stage, ({ world }: Act) => world.inHand(stage)])),
  admission: ({ world, load }) => pendingOf(world, world.names.intake.stream, world.names.intake.consumer(load.tenant)),
  leads: ({ world }) => pendingOf(world, world.names.accepted.stream, world.names.accepted.consumer),
  site: async ({ world }) => world.sites.open,
  pagespeed: async ({ world }) => world.pagespeed.open,
  budget: ({ world }) => openPayments(world.knex),
  smtp: async ({ world }) => world.box.open,
  sender: async ({ world }) => world.box.open,
};

async function pendingOf({ nats }: Act["world"], stream: string, consumer: string): Promise<number> {
  return (await (await nats.jetstreamManager()).consumers.info(stream, consumer)).num_ack_pending;
}
/** What is on its way to a frozen process, or from it, has arrived after this, ms. */
const settleMs = 40;

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
        await delay(settleMs);
        found = await inHand();
      } finally {
        if (found === 0) who.thaw();
      }
      return found > 0;
    },
    60_000,
    3 + act.random.whole(0, 5),
  );
  return found;
}

function target(act: Act, name: string): { node: MeshProcess; inHand(): Promise<number> } {
  return { node: act.world.nodes.get(name)!, inHand: () => hands[name]!(act) };
}

/** kill -9 with work in hand; its supervisor starts it again. */
export function kill(name: string): Fault {
  return {
    what: `${name}: kill -9`,
    async strike(act) {
      const { node, inHand } = target(act, name);
      const found = await catchWithWork(act, node, inHand);
      act.struck(name, found);
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
      const { node, inHand } = target(act, name);
      const found = await catchWithWork(act, node, inHand);
      act.struck(name, found);
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
      const { node, inHand } = target(act, name);
      const found = await catchWithWork(act, node, inHand);
      for (const line of node.lines) await line.silence();
      act.struck(name, found);
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
      act.struck(name, await hands[name]!(act));
      const second = await act.world.another(name, `${name}-${act.load.tenant}`);
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
        const next = await world.another(name, `${name}-${act.load.tenant}`);
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

import type { Clock } from "../../test/fault/clock.ts";
import { connections, lock, terminate } from "../../test/fault/faults/database.ts";
import { provider } from "../../test/fault/faults/outside.ts";
import { caught, cut, freeze, scale } from "../../test/fault/faults/process.ts";
import { server } from "../../test/fault/faults/servers.ts";
import type { Fault } from "../../test/fault/rows.ts";

/** As in production but for what waits longer than a minute leaves room for: another fault comes in the next one. */
export const soakClock: Clock = {
  ackWaitMs: 5_000,
  retryMs: 500,
  retryMaxMs: 10_000,
  leaseMs: 5_000,
  heartbeatS: 5,
  heartbeatTimeoutS: 15,
  requestTimeoutMs: 10_000,
  statementTimeoutMs: 3_000,
  freezeMs: 7_000,
  outageMs: 7_000,
};

/**
 * kill -9 of a second instance with work in hand. The first one lives from the beginning to the end: how its memory grows
 * is to be seen, and one that was started anew has forgotten.
 */
function killSecond(name: string): Fault {
  return {
    what: `${name}: kill -9 of a second instance`,
    async strike(act) {
      const second = await act.world.another(name, `${name}-second`);
      try {
        await caught(act, name, second);
      } finally {
        await act.world.dismiss(second);
      }
      act.healed();
    },
  };
}

/** One a minute, in this order, again and again: neighbours break different things. */
export const soakFaults: readonly Fault[] = [
  killSecond("enrich"),
  server("redis", "kill"),
  freeze("dedupe"),
  terminate,
  cut("score"),
  server("nats", "kill"),
  provider("down", "500"),
  killSecond("dedupe"),
  server("postgres", "kill"),
  freeze("sender"),
  scale("mockup"),
  lock,
  cut("enrich"),
  server("redis", "freeze"),
  killSecond("email"),
  server("nats", "restart"),
  provider("garbage", "another shape"),
  killSecond("sender"),
  server("postgres", "restart"),
  freeze("mockup"),
  connections,
  killSecond("site"),
  server("nats", "freeze"),
  cut("email"),
  server("postgres", "cut"),
  scale("enrich"),
  killSecond("score"),
];

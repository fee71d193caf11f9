import { patienceMs } from "../../test/fault/act.ts";
import { Breakpoint } from "../../test/fault/breakpoint.ts";
import type { Clock } from "../../test/fault/clock.ts";
import { connections, lock, terminate } from "../../test/fault/faults/database.ts";
import { provider } from "../../test/fault/faults/outside.ts";
import { cut, freeze, scale } from "../../test/fault/faults/process.ts";
import { server } from "../../test/fault/faults/servers.ts";
import { places } from "../../test/fault/faults/steps.ts";
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
 * kill -9 of a second instance with work in hand: what others see is what both have, so it is stopped at a line where it
 * has some itself. The first one lives from the beginning to the end: how its memory grows is to be seen, and one that was
 * started anew has forgotten.
 */
function killSecond(name: string, at: keyof typeof places): Fault {
  const place = places[at];
  return {
    what: `${name}: kill -9 of a second instance when it ${place.what}`,
    async strike(act) {
      const second = await act.world.another(name);
      let breakpoint: Breakpoint | undefined;
      try {
        breakpoint = await Breakpoint.set(second, place);
        act.struck(second.name, await breakpoint.reached(patienceMs));
      } finally {
        // First: it goes on where nobody holds it.
        await act.world.dismiss(second);
        breakpoint?.[Symbol.dispose]();
      }
      act.healed();
    },
  };
}

/** One a minute, in this order, again and again: neighbours break different things. */
export const soakFaults: readonly Fault[] = [
  killSecond("enrich", "read"),
  server("redis", "kill"),
  freeze("dedupe"),
  terminate,
  cut("score"),
  server("nats", "kill"),
  provider("down", "500"),
  killSecond("dedupe", "committed"),
  server("postgres", "kill"),
  freeze("sender"),
  scale("mockup"),
  lock,
  cut("enrich"),
  server("redis", "freeze"),
  killSecond("email", "passedOn"),
  server("nats", "restart"),
  provider("garbage", "another shape"),
  killSecond("sender", "sent"),
  server("postgres", "restart"),
  freeze("mockup"),
  connections,
  killSecond("site", "fetched"),
  server("nats", "freeze"),
  cut("email"),
  server("postgres", "cut"),
  scale("enrich"),
  killSecond("score", "read"),
];

import { setTimeout as delay } from "node:timers/promises";
import type { Middleware, ServiceBroker } from "moleculer";
import { Errors } from "moleculer";
import type { NatsConnection } from "nats";
import type { Names } from "../config/names.ts";

/** What Moleculer's transit holds of a call whose answer has not come (0.15; it has no types for it). */
interface Pending {
  action: { name: string };
  nodeID: string;
  reject(error: Error): void;
}
type Transit = { tx: { client?: NatsConnection }; pendingRequests: Map<string, Pending> } | undefined;

/** What was buffered on either side while the connection was away comes at once when it is back; it has this long, ms. */
const usualGraceMs = 5_000;

/**
 * Broker middleware: ends calls whose answers a cut connection has swallowed, with Moleculer's own `REQUEST_REJECTED`. A
 * caller would else wait for its whole timeout, five minutes for PageSpeed, and a stage's batch with it. Whoever connects
 * again ends its own calls that were under way, and tells the others to end those that they had made to it. A call that
 * is still worked on is ended too: it may have reached its service, as after any kill, and its caller knows what to do.
 */
export function lostAnswers(names: Names, graceMs = usualGraceMs): Middleware {
  let stopped = false;
  return {
    name: "lost-answers",
    async started(broker: ServiceBroker) {
      const transit = broker.transit as unknown as Transit;
      const client = transit?.tx.client;
      if (!client) return;
      const end = async (of: (pending: Pending) => boolean): Promise<void> => {
        const before = [...transit.pendingRequests].filter(([, pending]) => of(pending));
        await delay(graceMs, undefined, { ref: false });
        for (const [id, pending] of before) {
          if (stopped || !transit.pendingRequests.delete(id)) continue;
          const { action, nodeID } = pending;
          pending.reject(new Errors.RequestRejectedError({ action: action.name, nodeID }));
        }
      };
      client.subscribe(names.reconnected, {
        callback: (error, message) => {
          if (error) return;
          const nodeID = message.string();
          if (nodeID !== broker.nodeID) void end((pending) => pending.nodeID === nodeID);
        },
      });
      void (async () => {
        for await (const { type } of client.status()) {
          if (type !== "reconnect") continue;
          void end(() => true);
          client.publish(names.reconnected, broker.nodeID);
        }
      })();
    },
    async stopping() {
      stopped = true;
    },
  } as Middleware;
}

import { setTimeout as delay } from "node:timers/promises";
import { Errors, type Middleware, type ServiceBroker } from "moleculer";
import { type NatsConnection, nuid } from "nats";
import type { Names } from "../config/names.ts";
import { inboxPrefix } from "./actor/publisher.ts";
import type { Unheard } from "./unheard.ts";

/** What Moleculer's transit holds of a call whose answer has not come (0.15; it has no types for it). */
interface Pending {
  action: { name: string };
  nodeID: string;
  reject(error: Error): void;
}
type Transit = { tx: { client?: NatsConnection }; pendingRequests: Map<string, Pending> } | undefined;
type Send = (
  topic: string,
  data: Buffer,
  meta: { packet: { type: string; payload: { id?: string } } },
) => Promise<void>;

/** A call that was under way when a connection went, and may yet be answered when it is back, has this long, ms. */
const usualGraceMs = 3_000;
/** When the server itself was away the others come back at other moments: nobody would hear what is said before, ms. */
const othersMs = 1_000;

/** Status of NATS's answer where a subject has no subscriber. */
const nobodyListens = 503;

const rejected = ({ action, nodeID }: Pending) => new Errors.RequestRejectedError({ action: action.name, nodeID });

/**
 * Broker middleware for calls that a broken connection cuts in two. The NATS client throws away what is published while it
 * is away (nats 2.29, `resetOutbound`): calls and answers wait here until it is back, but for calls whose callers have
 * given up by then. What was already on its way is lost, and its caller would wait for its whole timeout, five minutes for
 * PageSpeed, a stage's batch with it: whoever connects again ends its own calls that were under way, with Moleculer's own
 * `REQUEST_REJECTED`, and tells the others to end those that they had made to it. One that is still worked on is ended too:
 * it may have reached its service, as after any kill, and its caller knows what to do.
 *
 * And a call to a node that was killed or cut off would wait until its heartbeats are missed, fifteen seconds: NATS says at
 * once where nobody listens (https://docs.nats.io/nats-concepts/core-nats/reqreply#no-responders), if it is asked by a
 * subject to answer to. Such a call has reached nobody, and is made again to another node. Its error is not the one above
 * but `SERVICE_NOT_AVAILABLE`: who may not repeat a call (an e-mail is handed over once) knows that nothing came of it.
 */
export function lostAnswers(names: Names, unheard: Unheard, graceMs = usualGraceMs): Middleware {
  let calls: ReadonlyMap<string, Pending> | undefined;
  /** Resolves when there is a connection; undefined while there is one. */
  let away: PromiseWithResolvers<void> | undefined;
  let settling: NodeJS.Timeout | undefined;
  let stopped = false;
  /** Where NATS answers that nobody listens, and who asks there; from when the node has started. */
  let asking: { client: NatsConnection; inbox: string } | undefined;
  const back = () => {
    clearTimeout(settling);
    away?.resolve();
    away = undefined;
  };
  return {
    name: "lost-answers",
    transporterSend: (next: Send): Send =>
      async function send(topic, data, meta) {
        // A heart-beat of the past says nothing.
        const { type, payload } = meta.packet;
        if (away && type !== "HEARTBEAT") {
          const call = calls?.get(payload.id!);
          await away.promise;
          // Whoever made the call has given up meanwhile: it is not to be done behind its back, nor beside what it did instead.
          if (type === "REQ" && calls?.get(payload.id!) !== call) return;
        }
        if (!asking || type !== "REQ") return next(topic, data, meta);
        asking.client.publish(topic, data, { reply: `${asking.inbox}.${payload.id}` });
      },
    async started(broker: ServiceBroker) {
      const transit = broker.transit as unknown as Transit;
      const client = transit?.tx.client;
      if (!client) return;
      calls = transit.pendingRequests;
      const inbox = `${inboxPrefix(client)}.${nuid.next()}`;
      client.subscribe(`${inbox}.*`, {
        callback: (error, { subject, headers }) => {
          if (error || headers?.code !== nobodyListens) return;
          const id = subject.slice(inbox.length + 1);
          const pending = transit.pendingRequests.get(id);
          if (!pending) return;
          transit.pendingRequests.delete(id);
          const { action, nodeID } = pending;
          unheard.add(nodeID);
          pending.reject(new Errors.ServiceNotAvailableError({ action: action.name, nodeID }));
        },
      });
      asking = { client, inbox };
      const end = async (of: (pending: Pending) => boolean): Promise<void> => {
        const before = [...transit.pendingRequests].filter(([, pending]) => of(pending));
        await delay(graceMs, undefined, { ref: false });
        for (const [id, pending] of before) {
          if (!stopped && transit.pendingRequests.delete(id)) pending.reject(rejected(pending));
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
          if (stopped) return;
          if (type === "disconnect") {
            clearTimeout(settling);
            away ??= Promise.withResolvers();
          }
          if (type !== "reconnect") continue;
          settling = setTimeout(back, othersMs);
          void end(() => true);
          client.publish(names.reconnected, broker.nodeID);
        }
      })();
    },
    async stopping() {
      stopped = true;
      back();
    },
  } as unknown as Middleware;
}

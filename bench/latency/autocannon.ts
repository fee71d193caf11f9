import { setTimeout as delay } from "node:timers/promises";
import autocannon, { type Options, type Result } from "autocannon";
import type { LoadGenerator, LoadOrder, LoadResult } from "./load.ts";

/** Connections at the most. */
const mostConnections = 200;
/**
 * Groups of connections that begin one after another within a second, so that requests arrive spread over it. Each is a run
 * of autocannon with histograms of its own: fifty of them took most of a core.
 */
const mostGroups = 10;
/** An answer that takes longer is an error. */
const timeoutSeconds = 10;

/** How a rate is made of connections that each send the same number of requests a second. */
function shapeOf(perMinute: number): { connections: number; perConnection: number } {
  const perSecond = Math.max(1, Math.round(perMinute / 60));
  const perConnection = Math.ceil(perSecond / mostConnections);
  return { connections: Math.round(perSecond / perConnection), perConnection };
}

/**
 * Sends by autocannon. It counts whole requests a second on a connection, so that 100 a minute are sent as 120; and a
 * connection waits for its answer, so that a mesh that answers late is sent less: `sent` says how much.
 */
export const autocannonLoad: LoadGenerator = {
  name: "autocannon",
  rateOf(perMinute) {
    const { connections, perConnection } = shapeOf(perMinute);
    return connections * perConnection * 60;
  },
  async send(order) {
    const { connections, perConnection } = shapeOf(order.perMinute);
    const groups = Math.min(connections, mostGroups);
    const result: LoadResult = { sent: 0, accepted: [], times: [] };
    let sent = 0;
    const next = () => sent++ % order.bodies.length;
    await Promise.all(
      Array.from({ length: groups }, async (_, n) => {
        await delay((n * 1_000) / groups);
        const size = Math.floor((connections * (n + 1)) / groups) - Math.floor((connections * n) / groups);
        await sendGroup(order, { connections: size, perConnection }, next, result);
      }),
    );
    result.times.sort((a, b) => a - b);
    return result;
  },
};

/** One run of autocannon. What is under way at its end is not counted as sent. `next` says which body is to be sent. */
async function sendGroup(
  { url, key, seconds, bodies }: LoadOrder,
  { connections, perConnection }: ReturnType<typeof shapeOf>,
  next: () => number,
  result: LoadResult,
): Promise<void> {
  const ended = Promise.withResolvers<Result>();
  const options: Options = {
    url: `${url}/v1/leads`,
    connections,
    connectionRate: perConnection,
    duration: seconds,
    timeout: timeoutSeconds,
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    requests: [
      {
        method: "POST",
        // The context is a connection's own, which has one request under way.
        setupRequest(request, context: { place?: number }) {
          context.place = next();
          return { ...request, body: bodies[context.place]! };
        },
        onResponse(status, _body, context: { place?: number }) {
          if (status === 202) result.accepted.push(context.place!);
        },
      },
    ],
  };
  autocannon(options, (error, told) => (error ? ended.reject(error) : ended.resolve(told))).on(
    "response",
    (_client, _status, _bytes, ms) => {
      result.sent++;
      result.times.push(ms);
    },
  );
  // Of a timeout it tells as an error, too.
  const { errors } = await ended.promise;
  result.sent += errors;
}

import type { Service } from "moleculer";
import { LeadsError } from "../../mixins/errors.ts";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import { writeEvents } from "../../mixins/http/send.ts";
import type { Edge } from "../../mixins/http.ts";
import { followLogs, type LogLevel, type LogQuery, readLogs } from "../../mixins/log-reader.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import type { logOperations } from "./log-operations.ts";

/** Lines of so long ago are shown where nobody says since when, ms. */
const recentMs = 15 * 60_000;
/** A follower is let go after this, ms: whoever still looks asks again. */
const longestMs = 15 * 60_000;
/** Followers of one gateway at once. */
const maxFollowers = 20;

/** Followers, by the gateway that they are at. */
const followers = new WeakMap<object, number>();

/** What answers the operations about the log. */
export const logHandlers: Handlers<(typeof logOperations)[number]["id"], Service & Edge> = {
  async getLogs(call) {
    const { nats, names } = resourcesOf(this.broker);
    const nc = await nats();
    const query = queryOf(call, Date.now());
    if (call.query["follow"] !== true) {
      const { items, next } = await readLogs(nc, names, query, Number(call.query["limit"]));
      return { json: { items: items.map(({ line }) => line), next: next === null ? null : String(next) } };
    }
    if ((followers.get(this) ?? 0) >= maxFollowers)
      throw new LeadsError("RATE_LIMITED", `${maxFollowers} follow the log here already`, { retryAfterMs: 60_000 });
    const until = Date.now() + longestMs;
    const lines = followLogs(nc, names, query, () => Date.now() < until && call.isValid() && this.server.listening);
    return { events: (res) => writeEvents(res, eventsOf(this, lines)) };
  },
};

function queryOf({ query, header }: Call, now: number): LogQuery {
  const { level, from, to, service, stage, lead, trace, cursor, follow } = query;
  const given = { service, stage, lead, trace, to };
  const lastId = header("Last-Event-ID");
  const at =
    cursor !== undefined ? Number(cursor) : lastId && /^\d{1,15}$/.test(lastId) ? Number(lastId) + 1 : undefined;
  // A page that goes on elsewhere began somewhere already.
  const since = at !== undefined ? 0 : follow === true ? now : now - recentMs;
  return {
    level: level as LogLevel,
    from: from === undefined ? since : Number(from),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...(at === undefined ? {} : { at: Math.max(1, at) }),
  };
}

/** As an EventSource reads it, https://html.spec.whatwg.org/multipage/server-sent-events.html. A comment a second keeps proxies awake. */
async function* eventsOf(gateway: object, lines: ReturnType<typeof followLogs>): AsyncGenerator<string> {
  // Counted when it is read: an answer whose caller has gone never is.
  followers.set(gateway, (followers.get(gateway) ?? 0) + 1);
  try {
    yield ": the log\n\n";
    for await (const item of lines)
      yield item === null ? ":\n\n" : `id: ${item.seq}\ndata: ${JSON.stringify(item.line)}\n\n`;
  } finally {
    followers.set(gateway, followers.get(gateway)! - 1);
  }
}

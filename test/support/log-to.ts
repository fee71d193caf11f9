import type { NatsConnection } from "nats";
import type { Settings } from "../../config/settings.ts";
import { LogLines } from "../../mixins/log.ts";
import { LogStream } from "../../mixins/log-stream.ts";
import { within } from "../../mixins/trace/scope.ts";

/** A log that goes to the stream alone, not into the test's output. */
export function logTo(nats: NatsConnection, settings: Settings) {
  const stream = new LogStream(settings);
  stream.start(nats);
  const lines = new LogLines({ level: "info", sinks: [(line) => stream.take(line)] });
  return {
    stream,
    [Symbol.asyncDispose]: () => stream.stop(),
    /** A service says something, on behalf of a lead. */
    say(service: string, message: string, about: object = {}, level: "info" | "warn" = "info") {
      const handler = lines.getLogHandler({ nodeID: "n-1", svc: service });
      within({ recorder: null, service, parents: [], about }, () => handler(level, [message]));
    },
  };
}

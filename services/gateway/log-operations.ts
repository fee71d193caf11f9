import type { Operation } from "../../mixins/http/operation.ts";
import { logLevels } from "../../mixins/log-reader.ts";
import { cursor, list, object, ref } from "./schema-words.ts";

/** The part of the table that is about the log. */

/** JetStream reads a time as RFC 3339, whose years have four digits. */
const time = { type: "integer", minimum: 0, maximum: 253_402_300_799_999 } as const;
/** A sequence in JetStream, as far as a number of ours is exact. */
const sequence = { type: "string", maxLength: 15, pattern: "^\\d+$" } as const;
const word = { type: "string", maxLength: 64, pattern: "^[A-Za-z0-9_-]+$" } as const;

export const logOperations = [
  {
    id: "getLogs",
    method: "GET",
    path: "/v1/logs",
    scope: "platform",
    summary: "Shows and follows the log of all processes",
    description:
      "The oldest lines first, a page at a time, which may be short, or empty, and still have a next one: a request looks at 10,000 lines at the most. With `follow=true` as server-sent events: each has its line as `data` and its place as `id`, with which `Last-Event-ID` goes on. Lines are kept for LEADS_LOG_STREAM_HOURS, and go earlier where they fill LEADS_LOG_STREAM_BYTES.",
    headers: {
      "Last-Event-ID": {
        description: "Of the last event that came: following goes on after it.",
        schema: sequence,
      },
    },
    query: {
      level: {
        description: "Lines of this level and worse.",
        schema: { type: "string", enum: logLevels, default: "info" },
      },
      service: { description: "Only lines that this service says.", schema: word },
      stage: { description: "Only lines about this stage.", schema: word },
      lead: {
        description: "Only lines about the lead with this id.",
        schema: { type: "string", maxLength: 128, pattern: "^[\\x21-\\x7e]+$" },
      },
      trace: {
        description: "Only lines of the trace with this id.",
        schema: { type: "string", maxLength: 32, pattern: "^[0-9a-f]{32}$" },
      },
      from: {
        description:
          "Lines written since then, ms since 1970. Absent: the last quarter of an hour; following: from now on.",
        schema: time,
      },
      to: { description: "Lines written before, ms since 1970.", schema: time },
      limit: {
        description: "Lines of a page at the most.",
        schema: { type: "integer", minimum: 1, maximum: 1_000, default: 100 },
      },
      cursor: {
        description: "`next` of the page before.",
        schema: sequence,
      },
      follow: {
        description: "Goes on with what comes, for fifteen minutes at the most.",
        schema: { type: "boolean", default: false },
      },
    },
    answers: {
      200: {
        description: "A page, or events.",
        type: "application/json",
        schema: object({ items: list(ref("LogLine")), next: cursor }),
        events: ref("LogLine"),
      },
    },
    errors: ["RATE_LIMITED"],
  },
] as const satisfies readonly Operation[];

import { rawFields } from "../intake/raw.ts";
import { leadStates, tiers, trustLevels } from "../leads/lead.ts";
import { analyticsSchemas } from "./analytics-schemas.ts";
import { consoleSchemas } from "./console-schemas.ts";
import { operateSchemas } from "./operate-schemas.ts";
import { reviewSchemas } from "./review-schemas.ts";
import { list, object, text, time, uuid, whole } from "./schema-words.ts";

/** The JSON Schemas (2020-12) of what the API takes and answers, by their names in openapi.json. */

const across = {
  type: "boolean",
  description: "Addresses that asked any tenant for no more e-mail get none, not this tenant's own alone.",
};
const timeZone = {
  type: ["string", "null"],
  description: "IANA, of recipients whose own is not known; null: the mesh's.",
};
const dayLimit = { type: ["integer", "null"], minimum: 0, description: "E-mails a day; null: the mesh's." };

const inputTypes: Record<(typeof rawFields)[keyof typeof rawFields]["type"], object> = {
  text: { type: ["string", "number", "null"] },
  "text or object": { type: ["string", "object", "null"] },
  "list of text": { type: ["array", "string", "null"] },
  number: { type: ["number", "string", "null"] },
  "yes or no": { type: ["boolean", "string", "number", "null"] },
  word: { type: ["string", "null"] },
};

const fault = object({ field: text, message: text });

const micro = { type: "integer", minimum: 0 } as const;
const budgetWindow = object({
  capMicro: { type: ["integer", "null"], description: "null: the common budget alone." },
  spentMicro: micro,
  reservedMicro: { ...micro, description: "Held for calls that are under way." },
  leftMicro: { type: ["integer", "null"] },
  level: {
    enum: [0, 75, 90, 100],
    description: "75: warned. 90: what is not essential stops. 100: nothing that costs goes out.",
  },
  until: { ...time, description: "When the next window begins, milliseconds since 1970." },
});

export const schemas = {
  LeadInput: {
    type: "object",
    description:
      "A lead as told. An optional field that is no such thing is dropped with a warning; a name and something to reach or place it by (phone, e-mail, web site, address) are needed.",
    properties: Object.fromEntries(
      Object.entries(rawFields).map(([name, field]) => [name, { ...inputTypes[field.type], description: field.text }]),
    ),
    required: ["name"],
    additionalProperties: false,
  },
  Accepted: object({ id: uuid, status: { const: "queued" } }, "The lead is stored and on its way."),
  Upload: object(
    {
      importId: uuid,
      rows: { ...whole, description: "Rows read." },
      accepted: { ...whole, description: "Rows that are stored." },
      refused: { ...whole, description: "Rows that are no lead." },
      refusedRows: {
        ...list(
          object({
            line: { ...whole, description: "Where the row begins in what was sent, from 1." },
            faults: list(fault),
          }),
        ),
        description: "The first thousand of them.",
      },
      truncated: { type: "boolean", description: "More rows were refused than are listed." },
    },
    "What became of an upload's rows.",
  ),
  Problem: {
    type: "object",
    description: "RFC 9457. docs/errors.md explains each type.",
    properties: {
      type: text,
      title: text,
      status: whole,
      detail: text,
      instance: { ...text, description: "The request id." },
      faults: list(fault),
      dependency: { ...text, description: "What is down." },
    },
    required: ["type", "title", "status", "detail", "instance"],
  },
  TimelineEntry: object({
    stage: text,
    at: time,
    waitedMs: whole,
    workedMs: whole,
    outcome: text,
    "attempt?": whole,
  }),
  Lead: object(
    {
      id: uuid,
      status: { enum: leadStates, description: "`queued` until the first checkpoint has it." },
      "reason?": { ...text, description: "Why it ended as it did." },
      "stage?": { ...text, description: "The stage that wrote it last." },
      "source?": text,
      "sourceId?": text,
      "sources?": {
        ...list(object({ leadId: uuid, source: text, "sourceId?": text })),
        description: "All sources that it has, its merged doubles' too.",
      },
      "trust?": { enum: Object.keys(trustLevels) },
      "tier?": whole,
      "fields?": { type: "object", description: "What the business is, normalised." },
      "warnings?": { ...list(fault), description: "Fields that were given, but were no such thing, and were dropped." },
      "facts?": { type: "object", description: "What its web site and others say." },
      "score?": {
        type: "object",
        properties: { value: { type: "integer", minimum: 0, maximum: 100 } },
        required: ["value"],
        description: "With the rules that fired where one lead is read.",
      },
      "mockup?": { type: "boolean", description: "There is a mock-up." },
      "mergedInto?": uuid,
      "acceptedAt?": time,
      "updatedAt?": time,
      "timeline?": list({ $ref: "#/components/schemas/TimelineEntry" }),
    },
    "A list leaves out timeline, facts, warnings and sources.",
  ),
  OutboxItem: object({
    leadId: uuid,
    campaign: text,
    state: text,
    to: text,
    subject: text,
    text,
    html: text,
    writtenAt: time,
    "dueAt?": { ...time, description: "When it may be sent, ms since 1970; absent: it was, or never is." },
    "sentAt?": time,
    "reason?": { ...text, description: "Why it is not sent, or what went wrong." },
    attempts: { ...whole, description: "How often it was handed over, or may have been." },
    "messageId?": text,
  }),
  Settlement: object({ as: { enum: ["sent", "not_sent"] }, "campaign?": text }, "What an operator found out."),
  Settled: object({ leadId: uuid, settled: { enum: ["sent", "not_sent"] } }),
  MailChange: object({ "suppressAcross?": across, "timeZone?": timeZone, "dayLimit?": dayLimit }),
  Mail: object({
    sending: { type: "boolean", description: "E-mails that are due are sent." },
    missing: { ...list(text), description: "Settings that are needed for it." },
    suppressAcross: across,
    timeZone,
    dayLimit,
    today: object({ taken: whole, allowed: whole }, "By UTC."),
    week: object({ sent: whole, bounced: whole, complained: whole }, "The last seven days, since it was last resumed."),
    "stopped?": object({ at: time, reason: text }, "Too much bounced or was complained of."),
  }),
  EventsTaken: object({
    applied: whole,
    repeat: { ...whole, description: "Had before." },
    stranger: { ...whole, description: "About no e-mail of ours." },
  }),
  Budget: object(
    {
      day: { ...text, description: "2026-11-23, UTC." },
      today: budgetWindow,
      month: budgetWindow,
      providers: { type: "object", additionalProperties: budgetWindow },
      overBudget: {
        enum: ["wait", "complete", "without"],
        description:
          "What becomes of a lead whose stage may not spend: it waits for the next window, ends as `over_budget`, or goes on without what cannot be paid.",
      },
      calls: { ...whole, description: "Effects of the day: done or under way, those that cost nothing among them." },
      repeats: {
        ...whole,
        description: "Of these, done again: after a crash, or because the answer of the first was kept nowhere.",
      },
      presumed: { ...whole, description: "Whose fate nobody knows; counted as spent." },
      open: { ...whole, description: "Under way." },
    },
    "Money in micro-USD (a millionth of a USD).",
  ),
  LogLine: {
    type: "object",
    description: "A line as it was written; what else it holds depends on what it says.",
    properties: {
      time: { type: "string", description: "RFC 3339." },
      level: { enum: ["fatal", "error", "warn", "info", "debug", "trace"] },
      node: { ...text, description: "The process." },
      module: { ...text, description: "The service, or the part of Moleculer, that says it." },
      message: text,
      stage: text,
      lane: text,
      tenant: text,
      leadId: text,
      importId: text,
      requestId: text,
      traceId: text,
    },
    required: ["time", "level", "node", "module", "message"],
  },
  ...reviewSchemas,
  Erasure: object(
    {
      id: { ...uuid, description: "Of the erasure: what lifts its tombstones." },
      leads: { ...list(uuid), description: "The lead that was named, and those merged with it." },
      state: { enum: ["sweeping", "done"], description: "`sweeping`: it is looked everywhere once more." },
      askedAt: time,
      "finishedAt?": time,
      did: {
        type: "object",
        additionalProperties: whole,
        description: "How many things were erased, by the place where they lay.",
      },
    },
    "A person who was erased.",
  ),
  Lifted: object({ id: uuid, lifted: { ...whole, description: "Tombstones that stood." } }),
  Settings: object({
    tier: {
      enum: tiers,
      description:
        "How much is done for a lead that is told without a tier: 1, its site is read and measured; 2, also a picture and a mock-up by the language model; 3, also what SEMrush says of its domain.",
    },
  }),
  ...operateSchemas,
  ...consoleSchemas,
  ...analyticsSchemas,
  Health: object({ status: { const: "ok" } }),
  Readiness: {
    type: "object",
    description:
      "`unready`: leads cannot be taken. `degraded`: they are taken, but `degraded` names what is down behind.",
    properties: {
      status: { enum: ["ready", "degraded", "unready"] },
      degraded: list(text),
      checks: {
        type: "object",
        additionalProperties: { ...object({ ok: { type: "boolean" }, "detail?": text }), additionalProperties: true },
      },
      stages: {
        type: "object",
        additionalProperties: object({
          state: text,
          instances: whole,
          "since?": time,
          "waitsFor?": { ...text, description: "Of an outage: what is down." },
        }),
      },
    },
    required: ["status", "degraded", "checks", "stages"],
    additionalProperties: false,
  },
} as const satisfies Record<string, object>;

import { cursor, list, object, text, time, uuid, whole } from "./schema-words.ts";

/** The JSON Schemas of what operators ask for. docs/operate.md */

const count = { type: "integer", minimum: 0 } as const;
const age = { type: ["integer", "null"], description: "Milliseconds; null: there is none." } as const;
const column = { type: "array", items: { type: ["number", "null"] } } as const;
const about = { type: "boolean", description: "The counts are estimates: bulk envelopes are counted, not opened." };
const page = (item: object) => object({ items: list(item), next: cursor });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const letterId = { type: "string", pattern: "^[1-9]\\d{0,14}-[0-9a-z]{1,10}$" } as const;
const error = object({ type: text, message: text });
const filter = object({
  "stage?": { ...text, minLength: 1, maxLength: 200 },
  "error?": { ...text, minLength: 1, maxLength: 200, description: "The error's type." },
  "since?": time,
  "until?": time,
});
const which = {
  "tenant?": { ...text, description: "Another tenant's, or * for all: with a platform key." },
  "ids?": { ...list(letterId), minItems: 1, maxItems: 10_000 },
  "filter?": { ...filter, description: "Instead of ids; {} means all." },
  "limit?": { type: "integer", minimum: 1, description: "Letters at the most." },
  "rate?": { type: "integer", minimum: 1, maximum: 10_000, description: "Letters a second." },
  "dryRun?": { type: "boolean", description: "Tell what would be done, and do nothing." },
};

const letter = {
  id: letterId,
  diedAt: time,
  "tenant?": text,
  kind: { enum: ["lead", "work", "foreign"], description: "`foreign`: a message that is nobody's." },
  stage: text,
  "lane?": text,
  errorType: text,
  "leadId?": uuid,
  attempts: count,
  state: { enum: ["dead", "claimed", "redriven", "discarded", "gone", "merged"] },
  "jobId?": uuid,
  "closedAt?": time,
};

const lane = object({
  lane: text,
  ready: { ...count, description: "Leads that can be taken." },
  unacknowledged: { ...count, description: "Leads in hand." },
  parked: { ...count, description: "Leads that wait for a moment." },
  about,
  oldestMs: age,
  redelivered: count,
  envelopes: { type: "object" },
});

export const operateSchemas = {
  DeadLetter: object(letter),
  DeadLetters: page(ref("DeadLetter")),
  DeadLetterWhole: object({
    ...letter,
    "lead?": {
      type: ["object", "null"],
      description: "The lead as the stage had it in hand; null: none could be read.",
    },
    "error?": error,
    "firstAt?": time,
    "lastAt?": time,
    "requestId?": text,
    "traceId?": text,
    "importId?": text,
    "raw?": { ...text, description: "The beginning of a message that no lead could be read from." },
    history: { ...list(ref("DeadLetter")), description: "The other deaths of the lead, oldest first." },
  }),
  DeadLetterCounts: object({
    total: count,
    "oldest?": { ...ref("DeadLetter"), description: "The one that has waited for longest." },
    items: list(object({ stage: text, error: text, count })),
  }),
  Redrive: object({
    ...which,
    "patch?": {
      type: "object",
      minProperties: 1,
      description: "Fields of the lead as LeadInput has them; null takes one away. A lead that is mended begins anew.",
    },
  }),
  Discard: object({ ...which, reason: { ...text, minLength: 1, maxLength: 200 } }),
  DeadLetterJob: object({
    id: uuid,
    tenant: text,
    kind: { enum: ["redrive", "discard"] },
    state: { enum: ["running", "done", "cancelled"] },
    by: text,
    operationId: uuid,
    "reason?": text,
    filter: { type: "object" },
    "patched?": list(text),
    "rate?": count,
    "most?": count,
    untilSeq: count,
    matched: { ...count, description: "How many it was about when it was asked for." },
    claimed: count,
    redriven: count,
    discarded: count,
    leftDead: { type: "object", additionalProperties: count, description: "Left as they are, by why." },
    createdAt: time,
    "endedAt?": time,
  }),
  DeadLetterJobs: object({ items: list(ref("DeadLetterJob")) }),
  DryRun: object({
    dryRun: { const: true },
    matched: count,
    "looked?": { ...count, description: "Letters that were opened." },
    "redrivable?": count,
    "left?": list(object({ id: letterId, why: text, "faults?": list(object({ field: text, message: text })) })),
  }),
  Stages: object({
    stages: list(
      object({
        name: text,
        "beside?": { const: true, description: "It stands beside the flow: its items are no leads." },
        state: { enum: ["working", "slow", "paused", "outage", "silent", "draining", "absent"] },
        "since?": time,
        "why?": text,
        "by?": text,
        "runbook?": { ...text, description: "The section of docs/operate.md that says what to do." },
        backlog: { ...count, description: "Leads ready and in hand." },
        parked: count,
        about,
        oldestMs: age,
        rate: { type: "number", description: "Leads a second." },
        drainSeconds: {
          type: ["integer", "null"],
          description: "Until the backlog is worked off; null: never, at this rate.",
        },
        instances: list(object({ node: text, state: text, lanes: text, since: time, inHand: count })),
        lanes: list(lane),
      }),
    ),
    intake: object({
      envelopes: count,
      leads: count,
      oldestMs: age,
      tenants: { type: "object", additionalProperties: count },
    }),
  }),
  StageHistory: object({
    everyMs: count,
    at: { ...list(time), description: "When each point ended." },
    stages: {
      type: "object",
      description: "By stage. Of a point's time the mean of the rate, and the most of all else.",
      additionalProperties: object({
        backlog: column,
        inHand: column,
        parked: column,
        oldestMs: column,
        rate: { ...column, description: "Leads a second." },
      }),
    },
  }),
  Runbook: object({
    sections: list(
      object({
        name: text,
        means: { ...text, description: "Markdown: code and links, as all but the commands." },
        look: text,
        do: text,
        commands: list(object({ kind: { ...text, description: "`repl`, `sh`, `sql` or `promql`." }, text })),
      }),
    ),
  }),
  Pause: object({ reason: { ...text, minLength: 1, maxLength: 500 } }),
  StagePause: object({ stage: text, state: { enum: ["paused", "resumed"] } }),
  Streams: object({
    streams: list(
      object({
        name: text,
        messages: count,
        bytes: count,
        limitBytes: { type: ["integer", "null"] },
        oldestMs: age,
        consumers: list(
          object({
            name: text,
            pending: count,
            unacknowledged: count,
            redelivered: count,
            waiting: count,
            oldestMs: age,
          }),
        ),
      }),
    ),
    store: object({ bytes: count, limitBytes: { type: ["integer", "null"] } }),
  }),
  Nodes: object({
    nodes: list(
      object({
        id: text,
        available: { type: "boolean" },
        "hostname?": text,
        "address?": text,
        "cpuPercent?": { type: "number" },
        "node?": text,
        services: list(text),
        toldAt: time,
      }),
    ),
  }),
  Operations: page(
    object({
      id: uuid,
      "tenant?": text,
      at: time,
      by: text,
      what: text,
      target: text,
      detail: { type: "object" },
      "result?": { ...text, description: "`done`, or what stopped it; absent: not known." },
      "endedAt?": time,
    }),
  ),
  Why: object({
    id: uuid,
    tenant: text,
    where: { enum: ["mailbox", "parked", "intake", "dead", "ended", "unknown"] },
    "stage?": text,
    "lane?": text,
    "since?": time,
    "waitsFor?": text,
    "until?": time,
    "before?": { ...whole, description: "Leads before it, about." },
    "letter?": letterId,
    text: { ...text, description: "All of it in a sentence." },
  }),
} as const satisfies Record<string, object>;

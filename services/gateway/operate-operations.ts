import type { Operation, Parameter } from "../../mixins/http/operation.ts";
import { ref } from "./schema-words.ts";

/** The part of the table that is for operators. docs/operate.md */

const tenant: Parameter = {
  description: "Another tenant's, or * for all: with a platform key.",
  schema: { type: "string", pattern: "^([a-z0-9][a-z0-9-]{0,31}|\\*)$" },
};
const paging: Record<string, Parameter> = {
  limit: { description: "Items at the most.", schema: { type: "integer", minimum: 1, maximum: 200, default: 50 } },
  cursor: {
    description: "`next` of the page before.",
    schema: { type: "string", maxLength: 200, pattern: "^[A-Za-z0-9_-]+$" },
  },
};
const time = { type: "integer", minimum: 0, maximum: 8_640_000_000_000_000 } as const;
const word = { type: "string", maxLength: 200, pattern: "^.+$" } as const;
const json = (description: string, schema: string) =>
  ({ description, type: "application/json", schema: ref(schema) }) as const;
const body = (schema: string) => ({ types: { "application/json": ref(schema) } });
const letter: Parameter = { description: "The dead letter's id.", schema: { type: "string" } };
const job: Parameter = { description: "The job's id.", schema: { type: "string" } };
const stage: Parameter = { description: "The stage's name.", schema: { type: "string" } };

export const operateOperations = [
  {
    id: "listDeadLetters",
    method: "GET",
    path: "/v1/dead-letters",
    scope: "read",
    summary: "Lists dead letters",
    description: "Newest first. All tenants' with a filter: a page may be short and still have a next one.",
    query: {
      ...paging,
      tenant,
      stage: { description: "That died in this stage.", schema: word },
      error: { description: "With an error of this type.", schema: word },
      since: { description: "That died then or later, ms since 1970.", schema: time },
      until: { description: "That died then or earlier, ms since 1970.", schema: time },
    },
    answers: { 200: json("A page.", "DeadLetters") },
  },
  {
    id: "countDeadLetters",
    method: "GET",
    path: "/v1/dead-letters/counts",
    scope: "read",
    summary: "Counts dead letters by stage and error",
    query: { tenant },
    answers: { 200: json("The counts, largest first.", "DeadLetterCounts") },
  },
  {
    id: "getDeadLetter",
    method: "GET",
    path: "/v1/dead-letters/{id}",
    scope: "read",
    summary: "Reads a dead letter: its lead, its error, its history",
    params: { id: letter },
    query: { tenant },
    answers: { 200: json("The letter.", "DeadLetterWhole") },
    errors: ["NOT_FOUND"],
  },
  {
    id: "redriveDeadLetters",
    method: "POST",
    path: "/v1/dead-letters/redrive",
    scope: "operate",
    summary: "Puts dead letters back, each once",
    description:
      "By ids or by a filter. As they are, into the stage they died in, with fresh tries; with a patch, mended, from the first stage on. A job: 202 says that it has begun.",
    body: body("Redrive"),
    answers: { 200: json("What would be done (`dryRun`).", "DryRun"), 202: json("Begun.", "DeadLetterJob") },
    errors: ["VALIDATION"],
  },
  {
    id: "discardDeadLetters",
    method: "POST",
    path: "/v1/dead-letters/discard",
    scope: "operate",
    summary: "Puts dead letters away for good",
    description: "Their leads end as discarded, with the reason.",
    body: body("Discard"),
    answers: { 200: json("What would be done (`dryRun`).", "DryRun"), 202: json("Begun.", "DeadLetterJob") },
    errors: ["VALIDATION"],
  },
  {
    id: "listDeadLetterJobs",
    method: "GET",
    path: "/v1/dead-letters/jobs",
    scope: "read",
    summary: "Lists redrives and discards",
    query: { limit: paging["limit"]!, tenant },
    answers: { 200: json("The newest.", "DeadLetterJobs") },
  },
  {
    id: "getDeadLetterJob",
    method: "GET",
    path: "/v1/dead-letters/jobs/{job}",
    scope: "read",
    summary: "How far a redrive or discard is",
    params: { job },
    query: { tenant },
    answers: { 200: json("The job.", "DeadLetterJob") },
    errors: ["NOT_FOUND"],
  },
  {
    id: "cancelDeadLetterJob",
    method: "POST",
    path: "/v1/dead-letters/jobs/{job}/cancel",
    scope: "operate",
    summary: "Stops a redrive or discard",
    description: "What it has in hand is finished.",
    params: { job },
    query: { tenant },
    answers: { 200: json("The job.", "DeadLetterJob") },
    errors: ["NOT_FOUND"],
  },
  {
    id: "whyLead",
    method: "GET",
    path: "/v1/leads/{id}/why",
    scope: "read",
    summary: "Where a lead is, since when, and what it waits for",
    description: "Who paused a stage and why, and what an outage is of, a platform key alone is told.",
    params: { id: { description: "The lead's id.", schema: { type: "string" } } },
    answers: { 200: json("Found.", "Why") },
    errors: ["NOT_FOUND"],
  },
  {
    id: "listOperations",
    method: "GET",
    path: "/v1/operations",
    scope: "read",
    summary: "What operators did: who, when, what, on what",
    description: "Newest first: the tenant's, or with a platform key and tenant=* everybody's.",
    query: { ...paging, tenant },
    answers: { 200: json("A page.", "Operations") },
  },
  {
    id: "listStages",
    method: "GET",
    path: "/v1/stages",
    scope: "platform",
    summary: "How every stage is",
    answers: { 200: json("The stages, in their order.", "Stages") },
  },
  {
    id: "stageHistory",
    method: "GET",
    path: "/v1/stages/history",
    scope: "platform",
    summary: "How the stages were in the last hour",
    description: "Columns, a point every quarter of a minute, as far as the instance that answers has watched.",
    query: { stage: { description: "This stage alone.", schema: word } },
    answers: { 200: json("The curves.", "StageHistory") },
    errors: ["NOT_FOUND"],
  },
  {
    id: "getRunbook",
    method: "GET",
    path: "/v1/runbook",
    scope: "platform",
    summary: "What to do when something is the matter",
    description: "The sections of docs/operate.md that alerts, and stages that do not work, name.",
    answers: { 200: json("The sections.", "Runbook") },
  },
  {
    id: "pauseStage",
    method: "POST",
    path: "/v1/stages/{name}/pause",
    scope: "platform",
    summary: "Stops all instances of a stage from taking more",
    params: { name: stage },
    body: body("Pause"),
    answers: { 200: json("Paused.", "StagePause") },
    errors: ["NOT_FOUND", "VALIDATION"],
  },
  {
    id: "resumeStage",
    method: "POST",
    path: "/v1/stages/{name}/resume",
    scope: "platform",
    summary: "Ends a pause",
    params: { name: stage },
    answers: { 200: json("Resumed.", "StagePause") },
    errors: ["NOT_FOUND"],
  },
  {
    id: "listStreams",
    method: "GET",
    path: "/v1/streams",
    scope: "platform",
    summary: "Every stream and consumer",
    answers: { 200: json("The streams, by name.", "Streams") },
  },
  {
    id: "listNodes",
    method: "GET",
    path: "/v1/nodes",
    scope: "platform",
    summary: "Every node of the mesh, with its services",
    answers: { 200: json("The nodes.", "Nodes") },
  },
  {
    id: "events",
    method: "GET",
    path: "/v1/events",
    scope: "read",
    summary: "What happens, as it happens (server-sent events)",
    description:
      "`dead-letters`, `job`, `budget`, `import`: the tenant's own. With a platform key everybody's, and `stage`. `missed`: so many were left out, because they were not read; read the present state anew.",
    answers: {
      200: { description: "A stream of events.", type: "text/event-stream", schema: { type: "string" } },
    },
    errors: ["RATE_LIMITED"],
  },
] as const satisfies readonly Operation[];

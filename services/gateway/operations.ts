import type { Operation, Parameter } from "../../mixins/http/operation.ts";
import { areaCodePattern } from "../intake/limits.ts";
import { leadStates } from "../leads/lead.ts";
import { analyticsOperations } from "./analytics-operations.ts";
import { consoleOperations } from "./console-operations.ts";
import { logOperations } from "./log-operations.ts";
import { mailOperations } from "./mail-operations.ts";
import { operateOperations } from "./operate-operations.ts";
import { reviewOperations } from "./review-operations.ts";
import { rightsOperations } from "./rights-operations.ts";
import { page, paging, ref, text } from "./schema-words.ts";
import { tierOperations } from "./tier-operations.ts";

/** The table of the API: routes, scopes, checks, limits and openapi.json all come from it. */

const id: Parameter = { description: "The lead's id, from the 202.", schema: { type: "string" } };
const word = { type: "string", maxLength: 200, pattern: "^.+$" } as const;

export const operations = [
  {
    id: "createLead",
    method: "POST",
    path: "/v1/leads",
    scope: "ingest",
    summary: "Takes a lead in",
    description:
      "202 says that the lead is stored and will go through every stage. The same source and source id again, or the same Idempotency-Key, is the same lead.",
    headers: {
      "Idempotency-Key": {
        description:
          "1 to 255 printable ASCII characters, remembered for 24 hours: a repeat of the request is answered as the first was.",
        schema: { type: "string", maxLength: 255, pattern: "^[\\x20-\\x7e]+$" },
      },
    },
    body: { types: { "application/json": ref("LeadInput") } },
    answers: {
      202: {
        description: "Stored.",
        type: "application/json",
        schema: ref("Accepted"),
        headers: { Location: "Where the lead can be read." },
      },
    },
    errors: ["VALIDATION", "CONFLICT", "ERASED", "MAILBOX_FULL"],
  },
  {
    id: "createLeads",
    method: "POST",
    path: "/v1/leads/bulk",
    scope: "ingest",
    summary: "Takes a file of leads in",
    description:
      "Of any size, read as it comes and no faster than it can be stored. Rows that are no lead are refused one by one; the rest goes on. When the connection breaks, what was accepted stays accepted; sending it again does no harm where rows have source ids, or under the same Idempotency-Key.",
    headers: {
      "Idempotency-Key": {
        description:
          "Rows without a source id take their ids from this key and their line: the same file under the same key is the same leads.",
        schema: { type: "string", maxLength: 255, pattern: "^[\\x20-\\x7e]+$" },
      },
    },
    query: {
      map: {
        description:
          "Which column is which field: `name=Site name,phone=Phone`. Columns called like a field need no mention.",
        schema: { type: "string", maxLength: 2_000 },
      },
      source: {
        description:
          "Source of rows that name none; `upload` where nothing is said. A CSV with a column of ids and none of sources needs it: ids are those of one list.",
        schema: { type: "string", maxLength: 64 },
      },
      areaCode: {
        description: "Put before phone numbers of seven digits.",
        schema: { type: "string", pattern: areaCodePattern.source },
      },
      vertical: { description: "Vertical of rows that name none.", schema: { type: "string", maxLength: 64 } },
    },
    body: {
      upload: true,
      types: {
        "application/x-ndjson": { type: "string", description: "A JSON object a line (LeadInput)." },
        "text/csv": { type: "string", description: "RFC 4180, the first row names the columns." },
      },
    },
    answers: {
      200: { description: "Every row was read.", type: "application/json", schema: ref("Upload") },
    },
    errors: ["MAILBOX_FULL", "VALIDATION"],
  },
  {
    id: "listLeads",
    method: "GET",
    path: "/v1/leads",
    scope: "read",
    summary: "Lists leads",
    description:
      "A page at a time, which may be short and still have a next one. A lead is listed once the first checkpoint has it, seconds after its 202.",
    query: {
      ...paging,
      sort: {
        description: "Newest first, or best first (leads with a score).",
        schema: { type: "string", enum: ["accepted", "score"], default: "accepted" },
      },
      status: {
        description: "Only leads in this state.",
        schema: { type: "string", enum: leadStates.filter((s) => s !== "queued") },
      },
      stage: { description: "Only leads that this stage wrote last.", schema: word },
      source: { description: "Only leads of this source.", schema: word },
      vertical: { description: "Only leads of this vertical.", schema: word },
      minScore: {
        description: "Only leads with this score or a better one.",
        schema: { type: "integer", minimum: 0, maximum: 100 },
      },
      q: {
        description: "An e-mail address, an E.164 phone number (write + as %2B) or a domain, exact.",
        schema: { type: "string", maxLength: 254, pattern: "^.{3,}$" },
      },
    },
    answers: { 200: { description: "A page.", type: "application/json", schema: page(ref("Lead")) } },
  },
  {
    id: "getLead",
    method: "GET",
    path: "/v1/leads/{id}",
    scope: "read",
    summary: "Reads a lead with its timeline",
    description: "Right after the 202 its state is `queued`.",
    params: { id },
    answers: { 200: { description: "The lead.", type: "application/json", schema: ref("Lead") } },
    errors: ["NOT_FOUND"],
  },
  {
    id: "getMockup",
    method: "GET",
    path: "/v1/leads/{id}/mockup",
    scope: "read",
    summary: "The mock-up of a better site for the lead",
    params: { id },
    answers: { 200: { description: "The page.", type: "text/html", schema: text } },
    errors: ["NOT_FOUND"],
  },
  {
    id: "listOutbox",
    method: "GET",
    path: "/v1/outbox",
    scope: "read",
    summary: "Lists the e-mails that were written",
    description: "Newest first, a page at a time.",
    query: {
      ...paging,
      state: {
        description: "Only e-mails in this state.",
        schema: { type: "string", maxLength: 32, pattern: "^[a-z_]+$" },
      },
    },
    answers: { 200: { description: "A page.", type: "application/json", schema: page(ref("OutboxItem")) } },
  },
  ...reviewOperations,
  ...mailOperations,
  ...rightsOperations,
  ...operateOperations,
  ...tierOperations,
  {
    id: "getBudget",
    method: "GET",
    path: "/v1/budget",
    scope: "read",
    summary: "What may be spent, and what was",
    description: "Of the day and the calendar month (UTC), in all and by provider, in micro-USD.",
    answers: { 200: { description: "How the tenant stands.", type: "application/json", schema: ref("Budget") } },
  },
  ...analyticsOperations,
  ...logOperations,
  ...consoleOperations,
  {
    id: "healthz",
    method: "GET",
    path: "/healthz",
    scope: null,
    summary: "Is the process alive?",
    answers: { 200: { description: "It is.", type: "application/json", schema: ref("Health") } },
  },
  {
    id: "readyz",
    method: "GET",
    path: "/readyz",
    scope: null,
    summary: "Can leads be taken, and what is down?",
    answers: {
      200: { description: "Leads can be taken.", type: "application/json", schema: ref("Readiness") },
      503: {
        description: "Leads cannot be taken.",
        type: "application/json",
        schema: ref("Readiness"),
        headers: { "Retry-After": "Seconds." },
      },
    },
  },
  {
    id: "openapi",
    method: "GET",
    path: "/openapi.json",
    scope: null,
    summary: "This description",
    answers: { 200: { description: "OpenAPI 3.1.", type: "application/json", schema: { type: "object" } } },
  },
] as const satisfies readonly Operation[];

export type OperationId = (typeof operations)[number]["id"];

import type { Operation } from "../../mixins/http/operation.ts";
import { ref } from "./schema-words.ts";

/** The part of the table that is about how much is done for leads, and what comes of it. */
export const tierOperations = [
  {
    id: "getScreenshot",
    method: "GET",
    path: "/v1/leads/{id}/screenshot",
    scope: "read",
    summary: "The picture of the lead's web site",
    description: "Taken of leads from tier 2 on; the lead's `facts.screenshot` says why there is none.",
    params: { id: { description: "The lead's id.", schema: { type: "string" } } },
    answers: {
      200: {
        description: "The picture.",
        type: "image/jpeg",
        schema: { type: "string", contentMediaType: "image/jpeg" },
      },
    },
    errors: ["NOT_FOUND"],
  },
  {
    id: "getSettings",
    method: "GET",
    path: "/v1/settings",
    scope: "read",
    summary: "What the tenant has chosen",
    answers: { 200: { description: "Its choices.", type: "application/json", schema: ref("Settings") } },
  },
  {
    id: "changeSettings",
    method: "PUT",
    path: "/v1/settings",
    scope: "operate",
    summary: "Changes what the tenant has chosen",
    description: "Holds for leads that come to the first stage ten seconds later, and are told without a tier.",
    body: { types: { "application/json": ref("Settings") } },
    answers: { 200: { description: "Its choices.", type: "application/json", schema: ref("Settings") } },
    errors: ["VALIDATION"],
  },
] as const satisfies readonly Operation[];

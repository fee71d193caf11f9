import type { Operation, Parameter } from "../../mixins/http/operation.ts";
import { page, paging, ref } from "./schema-words.ts";

/** The part of the table that is about doubles: what people are asked, and what they undo. */

const id = (what: string): Parameter => ({ description: `The ${what}'s id.`, schema: { type: "string" } });

export const reviewOperations = [
  {
    id: "listReviews",
    method: "GET",
    path: "/v1/reviews",
    scope: "operate",
    summary: "Lists pairs of leads that may be one business",
    description:
      "Newest first, a page at a time. An open review of leads that have become one since, or of which one is no lead any more, is left out.",
    query: {
      ...paging,
      state: {
        description: "Only reviews in this state.",
        schema: { type: "string", enum: ["open", "merged", "apart"], default: "open" },
      },
    },
    answers: { 200: { description: "A page.", type: "application/json", schema: page(ref("Review")) } },
  },
  {
    id: "decideReview",
    method: "POST",
    path: "/v1/reviews/{id}",
    scope: "operate",
    summary: "Says whether two leads are one business",
    description:
      "Remembered for ever: neither is asked again, nor undone by a later telling. The same answer again is answered alike; another one, or one that cannot be done any more, is a conflict.",
    params: { id: id("review") },
    body: { types: { "application/json": ref("Decision") } },
    answers: { 200: { description: "Decided.", type: "application/json", schema: ref("Decided") } },
    errors: ["NOT_FOUND", "VALIDATION", "CONFLICT"],
  },
  {
    id: "unmergeLead",
    method: "POST",
    path: "/v1/leads/{id}/unmerge",
    scope: "operate",
    summary: "Undoes the merge of a lead into another",
    description:
      "Both are again what they tell themselves, the lead goes on where it was, and the two are kept apart for ever. A repeat is answered alike.",
    params: { id: id("merged lead") },
    answers: { 200: { description: "Undone.", type: "application/json", schema: ref("Unmerged") } },
    errors: ["NOT_FOUND", "CONFLICT"],
  },
] as const satisfies readonly Operation[];

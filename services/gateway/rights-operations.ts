import type { Operation, Parameter } from "../../mixins/http/operation.ts";
import { cursor, list, object, ref } from "./schema-words.ts";

/** The part of the table that is about a person's rights. */

const lead: Parameter = { description: "The lead's id.", schema: { type: "string" } };
const erasure: Parameter = { description: "The erasure's id.", schema: { type: "string" } };

export const rightsOperations = [
  {
    id: "eraseLead",
    method: "DELETE",
    path: "/v1/leads/{id}",
    scope: "operate",
    summary: "Erases a person",
    description:
      "This lead and all that were merged with it: in the record, on their way, in caches. What is kept is that there was a lead, and hashes that keep it from coming back. Asked again it says how far that is: `sweeping` until it was looked everywhere a second time.",
    params: { id: lead },
    answers: { 200: { description: "What was done.", type: "application/json", schema: ref("Erasure") } },
    errors: ["NOT_FOUND"],
  },
  {
    id: "listTombstones",
    method: "GET",
    path: "/v1/tombstones",
    scope: "operate",
    summary: "Lists who was erased and is kept from coming back",
    description: "Newest first, a page at a time: no more than ids, times and counts.",
    query: {
      limit: {
        description: "Items of a page at the most.",
        schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
      },
      cursor: {
        description: "`next` of the page before.",
        schema: { type: "string", maxLength: 200, pattern: "^[A-Za-z0-9_-]+$" },
      },
    },
    answers: {
      200: {
        description: "A page.",
        type: "application/json",
        schema: object({ items: list(ref("Erasure")), next: cursor }),
      },
    },
  },
  {
    id: "liftTombstone",
    method: "DELETE",
    path: "/v1/tombstones/{id}",
    scope: "operate",
    summary: "Lets a person who was erased come back",
    description: "What was erased stays so. Leads of the person are taken in again from now on.",
    params: { id: erasure },
    answers: { 200: { description: "Lifted.", type: "application/json", schema: ref("Lifted") } },
    errors: ["NOT_FOUND", "CONFLICT"],
  },
] as const satisfies readonly Operation[];

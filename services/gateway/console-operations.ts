import type { Operation, Parameter } from "../../mixins/http/operation.ts";
import { list, object, ref, text } from "./schema-words.ts";

/** The part of the table that is the page for operators. docs/console.md */

const file: Parameter = { description: "One of the page's own.", schema: { type: "string" } };
const same = { description: "As the caller has it (`If-None-Match`)." };
const session = { description: "Signed in.", type: "application/json", schema: ref("Session") } as const;

export const consoleOperations = [
  {
    id: "getConsole",
    method: "GET",
    path: "/console",
    scope: null,
    summary: "The page for operators",
    answers: { 200: { description: "The page.", type: "text/html", schema: text } },
  },
  {
    id: "getConsoleScript",
    method: "GET",
    path: "/console/js/{file}",
    scope: null,
    summary: "A script of the page",
    params: { file },
    answers: { 200: { description: "The script.", type: "text/javascript", schema: text }, 304: same },
    errors: ["NOT_FOUND"],
  },
  {
    id: "getConsoleStyle",
    method: "GET",
    path: "/console/css/{file}",
    scope: null,
    summary: "A style sheet of the page",
    params: { file },
    answers: { 200: { description: "The style sheet.", type: "text/css", schema: text }, 304: same },
    errors: ["NOT_FOUND"],
  },
  {
    id: "signIn",
    method: "POST",
    path: "/console/session",
    scope: null,
    limited: true,
    summary: "Signs a browser in with an API key",
    description:
      "Sets a cookie that stands for the key for a quarter of an hour. What changes something by the cookie must send the header `X-Leads-Console`.",
    body: { types: { "application/json": object({ key: text }) } },
    answers: { 200: session },
    errors: ["UNAUTHORIZED", "FORBIDDEN", "OUTAGE"],
  },
  {
    id: "getSession",
    method: "GET",
    path: "/console/session",
    scope: null,
    limited: true,
    summary: "Says who is signed in, and goes on for another quarter of an hour",
    description: "Twelve hours after the key was given it is asked for again.",
    answers: { 200: session },
    errors: ["UNAUTHORIZED", "FORBIDDEN", "OUTAGE"],
  },
  {
    id: "signOut",
    method: "DELETE",
    path: "/console/session",
    scope: null,
    summary: "Takes the cookie away",
    answers: {
      200: { description: "Gone.", type: "application/json", schema: object({ signedOut: { const: true } }) },
    },
    errors: ["FORBIDDEN"],
  },
  {
    id: "listImports",
    method: "GET",
    path: "/v1/imports",
    scope: "read",
    summary: "Uploads that go on, and those of the last day",
    description:
      "As the gateways told each other since this one started, newest first, 200 at the most, each with what became of its leads, as of a few seconds ago (a minute where all have ended). `npm run import` shows its own progress.",
    answers: {
      200: { description: "The uploads.", type: "application/json", schema: object({ items: list(ref("Import")) }) },
    },
  },
] as const satisfies readonly Operation[];

import { list, object, text, time, uuid, whole } from "./schema-words.ts";

/** The JSON Schemas of what the page asks for itself. docs/console.md */
export const consoleSchemas = {
  Session: object({
    tenant: text,
    scopes: list(text),
    keyId: text,
    "label?": text,
    until: { ...time, description: "When it ends, unless it is asked for again. Milliseconds since 1970." },
    now: time,
  }),
  Import: object({
    importId: uuid,
    tenant: text,
    state: { enum: ["running", "ended"] },
    rows: { ...whole, description: "Rows read." },
    accepted: whole,
    refused: whole,
    startedAt: time,
    toldAt: { ...time, description: "Of what goes on, each second: one that is silent for long was cut off." },
  }),
} as const;

import { list, object, ref, text, time, uuid, whole } from "./schema-words.ts";

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
  ImportFlow: object(
    {
      about: { type: "boolean", description: "Estimated from a sample of 5,000 leads: of a state within 2 % of all." },
      inProgress: { ...whole, description: "Also those that wait to be written down." },
      completed: whole,
      merged: whole,
      rejected: whole,
      dead: whole,
      discarded: whole,
      erased: whole,
      repeated: { ...whole, description: "Accepted, but told before, by another import or twice in this one." },
    },
    "How far the leads of an import are. The sum is what was accepted, or more where it was uploaded again.",
  ),
  Import: object({
    importId: uuid,
    tenant: text,
    state: { enum: ["running", "ended"] },
    rows: { ...whole, description: "Rows read." },
    accepted: whole,
    refused: whole,
    startedAt: time,
    toldAt: { ...time, description: "Of what goes on, each second: one that is silent for long was cut off." },
    "flow?": {
      ...ref("ImportFlow"),
      description: "Absent while the record has not said it.",
    },
  }),
} as const;

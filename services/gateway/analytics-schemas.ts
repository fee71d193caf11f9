import { list, object, text, time, whole } from "./schema-words.ts";

/** The JSON Schemas of the business figures. docs/analytics.md */

const day = { type: "string", pattern: "^\\d{4}-\\d\\d-\\d\\d$", description: "UTC." } as const;
const count = { type: "integer", minimum: 0 } as const;
const money = { type: "integer", description: "Micro-USD." } as const;
const share = { type: ["integer", "null"], description: "Micro-USD; null: there was none to share it." } as const;

const figures = {
  takenIn: { ...count, description: "Leads that were accepted and are on record." },
  inProgress: count,
  completed: count,
  merged: count,
  rejected: count,
  dead: count,
  discarded: count,
  erased: count,
  scored: count,
  scores: { ...list(count), minItems: 10, maxItems: 10, description: "By tens: 0 to 9, 10 to 19 … 90 to 100." },
  mockedUp: count,
  mailed: { ...count, description: "Leads that an e-mail went out to." },
  opened: {
    type: ["integer", "null"],
    minimum: 0,
    description: "Leads whose e-mail went out and was opened; null: opens are not tracked, and none was told of.",
  },
  bounced: count,
  complained: count,
  unsubscribed: count,
  mailUnknown: { ...count, description: "Leads with an e-mail of unknown fate." },
  costMicro: money,
  costPerLeadMicro: share,
  costPerMailMicro: share,
};
const countedAt = { ...time, description: "All that was on record at this moment is counted; ms since 1970." };

export const analyticsSchemas = {
  Figures: object(figures),
  Analytics: object({
    from: day,
    to: day,
    by: { enum: ["day", "source", "vertical", "zip", "tenant"] },
    daily: { type: "boolean" },
    countedAt,
    notMeasured: { ...list(text), description: "Measures that are null, because nobody looks." },
    totals: { $ref: "#/components/schemas/Figures" },
    items: list(
      object({ key: { ...text, description: 'The day, or the value; "": none was told.' }, "day?": day, ...figures }),
    ),
    left: { ...whole, description: "Values that are left out of the items, and counted in the totals." },
  }),
  RuleFigures: object({
    from: day,
    to: day,
    countedAt,
    items: list(
      object({
        rule: text,
        points: { type: ["number", "null"] },
        multiplier: { type: ["number", "null"] },
        leads: { ...count, description: "Leads on which it fired." },
        meanScore: { type: "number", description: "Of these leads." },
      }),
    ),
  }),
} as const satisfies Record<string, object>;

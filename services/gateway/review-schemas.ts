import { leadStates } from "../leads/lead.ts";
import { list, object, text, time, uuid } from "./schema-words.ts";

/** The JSON Schemas of what people are asked about doubles, and say. docs/dedupe.md */
export const reviewSchemas = {
  Review: object(
    {
      id: uuid,
      state: { enum: ["open", "merged", "apart"] },
      ground: {
        enum: ["doubt", "conflict", "unmerge"],
        description:
          "`doubt`: the evidence does not decide. `conflict`: they are the same, but one of them is one lead with another that the other is kept apart from. `unmerge`: their merge was undone.",
      },
      weight: { type: ["number", "null"], description: "Bits for (or against) their being one, when it was opened." },
      evidence: {
        ...list(object({ level: text, weight: { type: "number" } })),
        description: "How each field that both tell agrees, and what that weighs. docs/dedupe.md",
      },
      openedAt: time,
      "decidedAt?": time,
      leads: list(
        object({ id: uuid, status: { enum: leadStates }, source: text, fields: { type: "object" }, acceptedAt: time }),
      ),
    },
    "Two leads side by side, with what each tells itself.",
  ),
  Decision: object({ decision: { enum: ["merge", "keep_apart"] } }),
  Decided: object({
    id: uuid,
    state: { enum: ["merged", "apart"] },
    "winner?": { ...uuid, description: "Who stays." },
  }),
  Unmerged: object({
    id: uuid,
    status: { enum: leadStates },
    from: { ...uuid, description: "Whom it was merged into." },
  }),
} as const;

/** What is asked of a language model, and what came of it; the same for every API. */

export interface Question {
  /** What the model is to do. Ours alone: nothing from outside stands in it. */
  system: string;
  /** What it is to do it with. */
  prompt: string;
  /** The JSON schema of its answer; see {@link strictSchema} for what the APIs take of it. */
  schema: object;
}

/** Tokens that an answer says it took. `cached` are those of the input that cost less. */
export interface Usage {
  input: number;
  cached: number;
  output: number;
}

/** Why an answer is none: cut off by the limit of tokens, refused, withheld by a filter, or no JSON. */
export type Bad = "truncated" | "refused" | "filtered" | "not_json";

/** A paid answer, good or bad: both are kept, so that a repeat pays for neither again. */
export type Completion = {
  by: "openai" | "anthropic";
  /** As the API names it. */
  model: string;
  costMicro: number;
} & ({ ok: true; value: unknown } | { ok: false; reason: Bad });

/** Longer ones would not be kept in the ledger; what is asked for is a tenth of it. */
const maxText = 12_000;

/** What jsonb takes: neither NUL nor half of a surrogate pair. */
const storable = (_key: string, value: unknown) =>
  typeof value === "string" ? value.toWellFormed().replaceAll("\0", "") : value;

/** The JSON of an answer's text. Models that are not held to a schema like to put it in a fence. */
export function jsonOf(text: string): { ok: true; value: unknown } | { ok: false; reason: Bad } {
  const bare = /^\s*```(?:json)?\s*([\s\S]*?)\s*```\s*$/.exec(text)?.[1] ?? text;
  if (bare.length > maxText) return { ok: false, reason: "truncated" };
  try {
    return { ok: true, value: JSON.parse(bare, storable) };
  } catch {
    return { ok: false, reason: "not_json" };
  }
}

/** A model's name as it is shown. */
export const modelName = (name: string): string => name.replace(/[^\x21-\x7e]/g, "").slice(0, 100);

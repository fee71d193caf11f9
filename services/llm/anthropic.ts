import { type Completion, jsonOf, modelName, type Question, type Usage } from "./completion.ts";
import { type Schema, strictSchema } from "./strict-schema.ts";

/**
 * Anthropic's Messages API: https://platform.claude.com/docs/en/api/messages, its structured outputs:
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs, errors: https://docs.claude.com/en/api/errors
 */

export const path = "/v1/messages";
export const version = "2023-06-01";

export function bodyOf({ system, prompt, schema }: Question, model: string, maxTokens: number): object {
  return {
    model,
    max_tokens: maxTokens,
    system,
    messages: [{ role: "user", content: prompt }],
    output_config: { format: { type: "json_schema", schema: strictSchema(schema as Schema) } },
  };
}

const count = { type: "number", integer: true, min: 0 } as const;
const maybe = { ...count, optional: true, nullable: true } as const;

/** The form of an answer, as far as it is read. */
export const schema = {
  type: { type: "equal", value: "message" },
  model: "string",
  stop_reason: { type: "string", nullable: true },
  content: {
    type: "array",
    items: { type: "object", props: { type: "string", text: { type: "string", optional: true, empty: true } } },
  },
  usage: {
    type: "object",
    props: {
      input_tokens: count,
      output_tokens: count,
      cache_creation_input_tokens: maybe,
      cache_read_input_tokens: maybe,
    },
  },
};

export interface Answer {
  model: string;
  stop_reason: string | null;
  content: { type: string; text?: string }[];
  usage: {
    input_tokens: number;
    output_tokens: number;
    cache_creation_input_tokens?: number | null;
    cache_read_input_tokens?: number | null;
  };
}

/** All of the input is the sum of three (nothing of ours asks for the cache, so that two of them are 0). */
export function usageOf({ usage }: Answer): Usage {
  const cached = usage.cache_read_input_tokens ?? 0;
  const input = usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + cached;
  return { input, cached, output: usage.output_tokens };
}

export function completionOf({ model, stop_reason: reason, content }: Answer, costMicro: number): Completion {
  const about = { by: "anthropic", model: modelName(model), costMicro } as const;
  if (reason === "refusal") return { ...about, ok: false, reason: "refused" };
  if (reason === "max_tokens" || reason === "model_context_window_exceeded")
    return { ...about, ok: false, reason: "truncated" };
  return { ...about, ...jsonOf(content.map((block) => (block.type === "text" ? (block.text ?? "") : "")).join("")) };
}

/** Anthropic's errors in its own terms. null: the HTTP status says enough (529, overloaded, is one of 5xx). */
export function sortError(
  status: number,
  body: unknown,
):
  | { kind: "never"; reason: string }
  | { kind: "down"; reason: string }
  | { kind: "later"; waitMs: number; reason: string }
  | null {
  const { error } = (body ?? {}) as {
    error?: { type?: unknown; message?: unknown; details?: { error_code?: unknown } };
  };
  const [type, message] = [String(error?.type ?? ""), String(error?.message ?? "")];
  // An account without credit is told as 400, a month's limit of spending as 429: no patience mends either.
  const isUnpaid =
    /credit balance is too low|usage limits/i.test(message) ||
    error?.details?.error_code === "enforced_spend_limit_reached";
  if (isUnpaid) return { kind: "later", waitMs: 3_600_000, reason: "wants to be paid" };
  if (status === 404 || /output_config|output_format/.test(message))
    return { kind: "down", reason: `does not take our settings (${status})` };
  if ((status === 400 || status === 413) && /^[a-z_]{1,64}$/.test(type)) return { kind: "never", reason: type };
  return null;
}

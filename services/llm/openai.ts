import { type Completion, jsonOf, modelName, type Question, type Usage } from "./completion.ts";
import { type Schema, strictSchema } from "./strict-schema.ts";

/**
 * OpenAI's chat completions, as other servers offer them, too: https://developers.openai.com/api/reference/resources/chat,
 * errors: https://developers.openai.com/docs/guides/error-codes
 */

export const path = "/chat/completions";

export function bodyOf({ system, prompt, schema }: Question, model: string, maxTokens: number): object {
  return {
    model,
    messages: [
      { role: "system", content: system },
      { role: "user", content: prompt },
    ],
    // `max_tokens` is refused by models that think.
    max_completion_tokens: maxTokens,
    response_format: {
      type: "json_schema",
      json_schema: { name: "answer", strict: true, schema: strictSchema(schema as Schema) },
    },
  };
}

const count = { type: "number", integer: true, min: 0 } as const;

/** The form of an answer, as far as it is read. A server that does not count its tokens is booked at the most. */
export const schema = {
  model: "string",
  choices: {
    type: "array",
    min: 1,
    items: {
      type: "object",
      props: {
        finish_reason: { type: "string", nullable: true, optional: true },
        message: {
          type: "object",
          props: {
            content: { type: "string", nullable: true, optional: true, empty: true },
            refusal: { type: "string", nullable: true, optional: true, empty: true },
          },
        },
      },
    },
  },
  usage: {
    type: "object",
    optional: true,
    nullable: true,
    props: {
      prompt_tokens: count,
      completion_tokens: count,
      prompt_tokens_details: {
        type: "object",
        optional: true,
        nullable: true,
        props: { cached_tokens: { ...count, optional: true, nullable: true } },
      },
    },
  },
};

export interface Answer {
  model: string;
  choices: { finish_reason?: string | null; message: { content?: string | null; refusal?: string | null } }[];
  usage?: {
    prompt_tokens: number;
    completion_tokens: number;
    prompt_tokens_details?: { cached_tokens?: number | null } | null;
  } | null;
}

export function usageOf({ usage }: Answer): Usage | null {
  if (!usage) return null;
  const { prompt_tokens: input, completion_tokens: output, prompt_tokens_details: details } = usage;
  return { input, output, cached: details?.cached_tokens ?? 0 };
}

export function completionOf({ model, choices }: Answer, costMicro: number): Completion {
  const { finish_reason: reason, message } = choices[0]!;
  const about = { by: "openai", model: modelName(model), costMicro } as const;
  if (reason === "content_filter") return { ...about, ok: false, reason: "filtered" };
  if (message.refusal) return { ...about, ok: false, reason: "refused" };
  if (reason === "length") return { ...about, ok: false, reason: "truncated" };
  return { ...about, ...jsonOf(message.content ?? "") };
}

/** What an error names when it is about our settings, and no lead's fault: its code, or the field of the request. */
const ours = /^(model_not_found|unsupported_(parameter|value)|invalid_json_schema|unknown_parameter)$/;
const ourFields = /^(model|response_format|max_completion_tokens)\b/;

/** OpenAI's errors in its own terms. null: the HTTP status says enough. */
export function sortError(
  status: number,
  body: unknown,
):
  | { kind: "never"; reason: string }
  | { kind: "down"; reason: string }
  | { kind: "later"; waitMs: number; reason: string }
  | null {
  const { error } = (body ?? {}) as { error?: { code?: unknown; type?: unknown; param?: unknown } };
  const [code, type, param] = [error?.code, error?.type, error?.param].map((part) => String(part ?? "")) as [
    string,
    string,
    string,
  ];
  // Told as 429, but no patience mends it: somebody must pay.
  if (code === "insufficient_quota" || type === "insufficient_quota")
    return { kind: "later", waitMs: 3_600_000, reason: "wants to be paid (insufficient_quota)" };
  if (status === 404 || (status === 400 && (ours.test(code) || ourFields.test(param))))
    return { kind: "down", reason: `does not take our settings (${param || code || status})` };
  if (status === 400 && /^[a-z_]{1,64}$/.test(code)) return { kind: "never", reason: code };
  return null;
}

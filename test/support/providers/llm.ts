import { createHash } from "node:crypto";
import { anthropicMessage, openaiCompletion } from "./documented/llm.ts";
import { type HttpStub, httpStub, type Words } from "./http-stub.ts";

/**
 * OpenAI's chat completions and Anthropic's messages on local ports. Requests and answers:
 * https://developers.openai.com/api/reference/resources/chat (the example "Structured outputs"),
 * https://platform.claude.com/docs/en/api/messages; what strict schemas may hold:
 * https://developers.openai.com/docs/guides/structured-outputs#supported-schemas,
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations; errors:
 * https://developers.openai.com/docs/guides/error-codes, https://docs.claude.com/en/api/errors
 */
export const openaiKey = "sk-stub-of-openai";
export const anthropicKey = "sk-ant-stub-of-anthropic";
export const openaiModel = "stub-mini-2026-01-01";
export const anthropicModel = "claude-stub-4-5";
/** Tokens of an answer that either model gives at the most. */
const mostTokens = 16_384;

/**
 * How the model ends: well, in one of the documented ways that are HTTP 200 and no answer, or word for word as in the
 * documentation's first example.
 */
export type Ending = "whole" | "truncated" | "refusal" | "filtered" | "no usage" | "documented";

export interface LlmStub extends HttpStub {
  ending: Ending;
  /** What the model says, by the body of the request and how many came before. A text is sent as it is. */
  says: (sent: any, n: number) => unknown;
  /** Bodies that it took. */
  bodies: any[];
  /** An error of its own, instead of an answer. */
  error: { status: number; body: object; headers?: Record<string, string> } | null;
}

/** A draft that claims nothing. */
export const goodDraft = {
  headline: "Good bread starts before you wake up.",
  tagline: "Come by, have a look at the counter, and ask what is still warm.",
  callToAction: "Ask us",
  sections: [
    {
      look: "cards",
      title: "Good to ask before you come",
      body: "A short word beforehand often saves you a trip.",
      items: [
        { title: "Today", text: "Ask what came out of the oven this morning." },
        { title: "Orders", text: "Tell us what you need and for when." },
      ],
    },
    { look: "about", title: "Who we are", body: "We like flour on our hands, and people at the counter.", items: [] },
    {
      look: "steps",
      title: "How it goes",
      body: "Nothing to sign up for.",
      items: [
        { title: "Ask", text: "Say what you have in mind." },
        { title: "Fetch", text: "Come and take it home." },
      ],
    },
  ],
};

async function llmStub(
  words: Words,
  refusalOf: (url: URL, headers: Record<string, unknown>, body: any) => { status: number; body: object } | null,
  answerOf: (text: string, ending: Ending, body: any) => object,
  example: object,
): Promise<LlmStub> {
  const mine = {
    ending: "whole" as Ending,
    says: (): unknown => goodDraft,
    bodies: [] as any[],
    error: null as LlmStub["error"],
  };
  const stub = await httpStub(words, (url, { headers }, sent) => {
    let body: any;
    try {
      body = JSON.parse(sent);
    } catch {
      return { status: 400, body: { error: { message: "not JSON", type: "invalid_request_error" } } };
    }
    const refused = refusalOf(url, headers, body);
    if (refused) return refused;
    if (mine.error) return mine.error;
    mine.bodies.push(body);
    const said = (mine.says as LlmStub["says"])(body, mine.bodies.length - 1);
    if (mine.ending === "documented") return { status: 200, body: example };
    return { status: 200, body: answerOf(typeof said === "string" ? said : JSON.stringify(said), mine.ending, body) };
  });
  for (const name of Object.keys(mine) as (keyof typeof mine)[])
    Object.defineProperty(stub, name, {
      get: () => mine[name],
      set: (value) => {
        (mine as any)[name] = value;
      },
    });
  return stub as LlmStub;
}

/** Tokens as a server would count them: about four bytes each. */
const tokens = (text: string) => Math.ceil(Buffer.byteLength(text) / 4);
const id = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 24);

/** The first rule of the subset that the schema breaks, as a path and words; null for none. */
function schemaFault(schema: any, unsupported: RegExp, path = "()"): string | null {
  if (typeof schema !== "object" || schema === null || typeof schema.type !== "string")
    return `In context=${path}, schema must have a 'type' key.`;
  const key = Object.keys(schema).find((name) => unsupported.test(name));
  if (key) return `In context=${path}, '${key}' is not permitted.`;
  if (schema.type === "object") {
    if (schema.additionalProperties !== false)
      return `In context=${path}, 'additionalProperties' is required to be supplied and to be false.`;
    const names = Object.keys(schema.properties ?? {});
    if (names.some((name) => !schema.required?.includes(name)))
      return `In context=${path}, 'required' is required to be supplied and to be an array including every key in properties.`;
    for (const name of names) {
      const fault = schemaFault(schema.properties[name], unsupported, `('properties', '${name}')`);
      if (fault) return fault;
    }
  }
  return schema.type === "array" ? schemaFault(schema.items, unsupported, `${path}, 'items'`) : null;
}
const beyond = (body: object, known: readonly string[]) => Object.keys(body).find((name) => !known.includes(name));

const openaiError = (message: string, type: string, code: string | null, param: string | null = null) => ({
  error: { message, type, param, code },
});
export const openaiQuota = {
  status: 429,
  body: openaiError(
    "You exceeded your current quota, please check your plan and billing details.",
    "insufficient_quota",
    "insufficient_quota",
  ),
};

export function openaiStub(): Promise<LlmStub> {
  const invalid = (message: string, code: string | null, param: string | null = null, status = 400) => ({
    status,
    body: openaiError(message, "invalid_request_error", code, param),
  });
  return llmStub(
    {
      "401": openaiError("Incorrect API key provided: sk-stu****enai.", "invalid_request_error", "invalid_api_key"),
      "429": openaiError("Rate limit reached for requests", "requests", "rate_limit_exceeded"),
      "500": openaiError("The server had an error while processing your request", "server_error", null),
    },
    (url, headers, body) => {
      if (url.pathname !== "/v1/chat/completions") return invalid("Invalid URL", null, null, 404);
      if (headers["authorization"] === undefined)
        return invalid(
          "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.",
          null,
          null,
          401,
        );
      if (headers["authorization"] !== `Bearer ${openaiKey}`)
        return invalid("Incorrect API key provided: sk-****.", "invalid_api_key", null, 401);
      const unknown = beyond(body, ["model", "messages", "max_completion_tokens", "response_format"]);
      if (unknown) return invalid(`Unknown parameter: '${unknown}'.`, "unknown_parameter", unknown);
      for (const name of ["model", "messages"])
        if (body[name] === undefined)
          return invalid(`Missing required parameter: '${name}'.`, "missing_required_parameter", name);
      if (body.max_completion_tokens > mostTokens)
        return invalid(
          `max_tokens is too large: ${body.max_completion_tokens}. This model supports at most ${mostTokens} completion tokens, whereas you provided ${body.max_completion_tokens}.`,
          "invalid_value",
          "max_completion_tokens",
        );
      if (body.model !== openaiModel)
        return invalid(`The model '${body.model}' does not exist`, "model_not_found", null, 404);
      const { type, json_schema: format } = body.response_format ?? {};
      if (type !== "json_schema" || format.strict !== true || !/^[\w-]{1,64}$/.test(format.name))
        return invalid("Invalid value: 'response_format'", "invalid_value", "response_format");
      const fault = schemaFault(format.schema, /^(minLength|maxLength|default|title|patternProperties|oneOf|not)$/);
      if (fault)
        return invalid(`Invalid schema for response_format '${format.name}': ${fault}`, null, "response_format");
      return null;
    },
    (text, ending, body) => ({
      id: `chatcmpl-${id(text)}`,
      object: "chat.completion",
      created: 1_741_570_283,
      model: openaiModel,
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: ending === "truncated" ? text.slice(0, 60) : ending === "refusal" ? null : text,
            refusal: ending === "refusal" ? "I'm sorry, I cannot assist with that request." : null,
            annotations: [],
          },
          logprobs: null,
          finish_reason: ending === "truncated" ? "length" : ending === "filtered" ? "content_filter" : "stop",
        },
      ],
      ...(ending === "no usage"
        ? {}
        : {
            usage: {
              prompt_tokens: tokens(JSON.stringify(body.messages)),
              completion_tokens: tokens(text),
              total_tokens: tokens(JSON.stringify(body.messages)) + tokens(text),
              prompt_tokens_details: { cached_tokens: 8, audio_tokens: 0 },
              completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
            },
          }),
      service_tier: "default",
    }),
    openaiCompletion,
  );
}

const anthropicError = (type: string, message: string) => ({
  type: "error",
  error: { type, message },
  request_id: "req_011CSHoEeqs5C35K2UUqR7Fy",
});
export const overloaded = { status: 529, body: anthropicError("overloaded_error", "Overloaded") };
export const noCredit = {
  status: 400,
  body: anthropicError(
    "invalid_request_error",
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
  ),
};

export function anthropicStub(): Promise<LlmStub> {
  const invalid = (message: string) => ({ status: 400, body: anthropicError("invalid_request_error", message) });
  return llmStub(
    {
      "401": anthropicError("authentication_error", "invalid x-api-key"),
      "402": anthropicError("billing_error", "There is an issue with your billing or payment information."),
      "429": anthropicError("rate_limit_error", "This request would exceed your organization's rate limit."),
      "500": anthropicError("api_error", "Internal server error"),
    },
    (url, headers, body) => {
      if (url.pathname !== "/v1/messages") return { status: 404, body: anthropicError("not_found_error", "Not Found") };
      if (headers["x-api-key"] === undefined)
        return { status: 401, body: anthropicError("authentication_error", "x-api-key header is required") };
      if (headers["x-api-key"] !== anthropicKey)
        return { status: 401, body: anthropicError("authentication_error", "invalid x-api-key") };
      if (headers["anthropic-version"] !== "2023-06-01") return invalid("anthropic-version: header is required");
      const unknown = beyond(body, ["model", "max_tokens", "system", "messages", "output_config"]);
      if (unknown) return invalid(`${unknown}: Extra inputs are not permitted`);
      if (!Number.isInteger(body.max_tokens)) return invalid("max_tokens: Field required");
      if (body.max_tokens > mostTokens)
        return invalid(
          `max_tokens: ${body.max_tokens} > ${mostTokens}, which is the maximum allowed number of output tokens for ${anthropicModel}`,
        );
      if (body.model !== anthropicModel)
        return { status: 404, body: anthropicError("not_found_error", `model: ${body.model}`) };
      const { type, schema } = body.output_config?.format ?? {};
      if (type !== "json_schema") return invalid("output_config.format.type: Input should be 'json_schema'");
      const fault = schemaFault(schema, /^(minLength|maxLength|minItems|maxItems|minimum|maximum|pattern)$/);
      return fault ? invalid(`output_config.format.schema: ${fault}`) : null;
    },
    (text, ending, body) => ({
      id: `msg_${id(text)}`,
      type: "message",
      role: "assistant",
      model: anthropicModel,
      content: ending === "refusal" ? [] : [{ type: "text", text: ending === "truncated" ? text.slice(0, 60) : text }],
      stop_reason: ending === "truncated" ? "max_tokens" : ending === "refusal" ? "refusal" : "end_turn",
      stop_sequence: null,
      usage: {
        input_tokens: tokens(body.system + JSON.stringify(body.messages)),
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: tokens(text),
        service_tier: "standard",
      },
    }),
    anthropicMessage,
  );
}

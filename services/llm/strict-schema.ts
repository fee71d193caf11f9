/**
 * What OpenAI's strict mode and Anthropic's structured outputs both take of JSON schema: every object closed, every property
 * required, no limits of lengths and counts. What is left out is told in the description, as Anthropic's own clients do:
 * https://developers.openai.com/docs/guides/structured-outputs, https://platform.claude.com/docs/en/build-with-claude/structured-outputs
 */

const limits = {
  minLength: "at least % characters",
  maxLength: "at most % characters",
  minItems: "at least % items",
  maxItems: "at most % items",
} as const;

export interface Schema {
  type: "object" | "array" | "string";
  description?: string;
  enum?: readonly string[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: false;
  items?: Schema;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

/** The schema as it is sent. The answer is to be held against the whole one. */
export function strictSchema({ type, description, enum: values, properties, items, ...rest }: Schema): object {
  const told = Object.entries(limits).flatMap(([name, text]) => {
    const limit = rest[name as keyof typeof limits];
    return limit === undefined ? [] : text.replace("%", String(limit));
  });
  const text = [description, told.join(", ")].filter((part) => part).join("; ");
  return {
    type,
    ...(text && { description: text }),
    ...(values && { enum: values }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, strictSchema(value)])),
      required: Object.keys(properties),
      additionalProperties: false,
    }),
    ...(items && { items: strictSchema(items) }),
  };
}

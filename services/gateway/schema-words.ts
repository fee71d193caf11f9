/** What the schemas are made of. */

export const text = { type: "string" } as const;
export const whole = { type: "integer" } as const;
export const time = { type: "integer", description: "Milliseconds since 1970." } as const;
export const uuid = {
  type: "string",
  pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
} as const;
export const cursor = {
  type: ["string", "null"],
  description: "Give it as `cursor` for the next page; null after the last.",
};

/** An object of exactly these properties; those with a `?` may be absent. */
export function object(properties: Record<string, object>, description?: string) {
  const entries = Object.entries(properties).map(([name, schema]) => [name.replace("?", ""), schema] as const);
  return {
    type: "object",
    ...(description === undefined ? {} : { description }),
    properties: Object.fromEntries(entries),
    required: Object.keys(properties).filter((name) => !name.endsWith("?")),
    additionalProperties: false,
  };
}
export const list = (items: object) => ({ type: "array", items });
export const page = (item: object) => object({ items: list(item), next: cursor });
/** Parameters of a list that is read a page at a time. */
export const paging = {
  limit: {
    description: "Items of a page at the most.",
    schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
  },
  cursor: {
    description: "`next` of the page before.",
    schema: { type: "string", maxLength: 500, pattern: "^[A-Za-z0-9_-]+$" },
  },
} as const;
export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

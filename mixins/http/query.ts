import type { Parameter } from "./operation.ts";

export interface Fault {
  field: string;
  message: string;
}
export type Value = string | number | boolean;

/** The query of a request's target: all behind the first `?`, which may hold others (RFC 3986, 3.4). */
export function queryOf(target: string): URLSearchParams {
  const at = target.indexOf("?");
  return new URLSearchParams(at === -1 ? "" : target.slice(at + 1));
}

/**
 * Reads the query by what the operation declares. A parameter that is not declared is a fault too: a filter with a
 * typing error must not answer everything.
 */
export function readQuery(
  declared: Record<string, Parameter>,
  given: URLSearchParams,
): { values: Record<string, Value>; faults: Fault[] } {
  const values: Record<string, Value> = {};
  const faults: Fault[] = [];
  for (const name of new Set(given.keys())) {
    const parameter = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (!parameter) {
      const known = Object.keys(declared).join(", ");
      faults.push({ field: name.slice(0, 64), message: `is not a parameter here${known ? ` (${known} are)` : ""}` });
      continue;
    }
    const all = given.getAll(name);
    const value = all.length === 1 ? readValue(parameter.schema, all[0]!) : { fault: "is given more than once" };
    if ("fault" in value) faults.push({ field: name, message: value.fault });
    else values[name] = value.value;
  }
  for (const [name, { schema }] of Object.entries(declared))
    if (schema.default !== undefined && !given.has(name)) values[name] = schema.default;
  return { values, faults };
}

function readValue(schema: Parameter["schema"], raw: string): { value: Value } | { fault: string } {
  switch (schema.type) {
    case "boolean":
      return raw === "true" || raw === "false" ? { value: raw === "true" } : { fault: "is neither true nor false" };
    case "integer":
    case "number": {
      const shape = schema.type === "integer" ? /^-?\d{1,15}$/ : /^-?\d{1,15}(\.\d{1,9})?$/;
      if (!shape.test(raw)) return { fault: schema.type === "integer" ? "is not a whole number" : "is not a number" };
      const value = Number(raw);
      const { minimum = -Infinity, maximum = Infinity } = schema;
      if (value < minimum || value > maximum) return { fault: `is not between ${minimum} and ${maximum}` };
      return { value };
    }
    case "string": {
      if (schema.enum && !schema.enum.includes(raw)) return { fault: `is not one of ${schema.enum.join(", ")}` };
      const { maxLength = 1_000 } = schema;
      if (raw.length > maxLength) return { fault: `is longer than ${maxLength} characters` };
      if (schema.pattern && !new RegExp(schema.pattern, "u").test(raw))
        return { fault: `does not match ${schema.pattern}` };
      // PostgreSQL's text holds no NUL, and no other control character means anything in a filter.
      if (/\p{Cc}/u.test(raw)) return { fault: "has control characters" };
      return { value: raw };
    }
    default:
      return schema.type satisfies never;
  }
}

import { LeadsError } from "../errors.ts";
import type { Operation } from "./operation.ts";

export interface Match<O extends Operation> {
  operation: O;
  params: Record<string, string>;
}

/**
 * Compiles the table to a function that finds a request's operation. Throws `NOT_FOUND` for a path that nobody has,
 * `METHOD_NOT_ALLOWED` (with `data.allow`) for one that others have, `MALFORMED` for one that cannot be decoded.
 */
export function matcher<O extends Operation>(operations: readonly O[]): (method: string, path: string) => Match<O> {
  const routes = operations.map((operation) => ({
    operation,
    literal: !operation.path.includes("{"),
    shape: new RegExp(`^${operation.path.replace(/[.]/g, "\\.").replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
  }));
  return (method, path) => {
    let found = routes.filter(({ shape }) => shape.test(path));
    // `/v1/leads/bulk` is no lead with the id "bulk".
    if (found.some(({ literal }) => literal)) found = found.filter(({ literal }) => literal);
    if (found.length === 0) throw new LeadsError("NOT_FOUND", "there is no such path");
    const route = found.find(({ operation }) => operation.method === method);
    if (!route) {
      const allow = found.flatMap(({ operation }) =>
        operation.method === "GET" ? ["GET", "HEAD"] : [operation.method],
      );
      throw new LeadsError("METHOD_NOT_ALLOWED", `the path takes ${allow.join(", ")}`, { allow });
    }
    return { operation: route.operation, params: decoded(route.shape.exec(path)!.groups ?? {}) };
  };
}

function decoded(groups: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    throw new LeadsError("MALFORMED", "the path is not percent-encoded UTF-8");
  }
}

/**
 * A log line: one JSON object. `logger.info("text", { leadId })` gives `{"time","level","node","module","message","leadId"}`;
 * an Error becomes `error: { type, message, stack }` without its `data`, which may hold what a person sent.
 */
export function formatLine(
  level: string,
  args: readonly unknown[],
  bindings: { nodeID?: string; mod?: string; svc?: string } = {},
): string {
  const words: string[] = [];
  const fields: Record<string, unknown> = {};
  for (const arg of args) {
    if (arg instanceof Error) fields["error"] = errorFields(arg);
    else if (arg !== null && typeof arg === "object" && !Array.isArray(arg)) Object.assign(fields, plain(arg));
    else words.push(typeof arg === "string" ? arg : JSON.stringify(arg));
  }
  const line = {
    ...fields,
    time: new Date().toISOString(),
    level,
    node: bindings.nodeID,
    module: bindings.svc ?? bindings.mod,
    message: words.join(" "),
  };
  return JSON.stringify(line, (_key, value) => (typeof value === "bigint" ? String(value) : value));
}

function plain(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? errorFields(value) : value]),
  );
}

function errorFields(error: Error & { type?: string; code?: unknown }): Record<string, unknown> {
  const { type, code, message, stack, cause } = error;
  // PostgreSQL quotes values in its messages, a person's among them.
  if ("severity" in error) {
    const { table, constraint, routine } = error as { table?: string; constraint?: string; routine?: string };
    return { type: "DatabaseError", code, table, constraint, routine };
  }
  return {
    type: type ?? error.name,
    ...(code === undefined ? {} : { code }),
    message,
    stack,
    ...(cause instanceof Error ? { cause: cause.message } : {}),
  };
}

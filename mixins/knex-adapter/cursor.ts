import { LeadsError } from "../errors.ts";

/** Where a page ended: the sort it was read in, and the key and id of its last row. */
export interface Position {
  key: string;
  id: string;
}

const shapes = {
  time: /^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
  integer: /^-?\d{1,9}$/,
} as const;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const longest = 200;

export function cursorOf(sort: string, key: string, id: string): string {
  return Buffer.from(JSON.stringify([sort, key, id])).toString("base64url");
}

/** Reads a cursor. Throws `VALIDATION` for one that this sort did not give: it comes from outside. */
export function readCursor(cursor: string, sort: string, kind: keyof typeof shapes): Position {
  let parts: unknown;
  try {
    parts = cursor.length <= longest ? JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")) : undefined;
  } catch {
    parts = undefined;
  }
  const [ofSort, key, id] = Array.isArray(parts) && parts.length === 3 ? parts : [];
  if (typeof ofSort !== "string" || typeof key !== "string" || typeof id !== "string") throw wrong("is none of ours");
  if (ofSort !== sort) throw wrong(`belongs to sort "${ofSort.slice(0, 20)}", not "${sort}"`);
  if (!shapes[kind].test(key) || !uuid.test(id) || (kind === "time" && Number.isNaN(Date.parse(key))))
    throw wrong("is none of ours");
  return { key, id };
}

function wrong(message: string): LeadsError {
  return new LeadsError("VALIDATION", `cursor ${message}`, { faults: [{ field: "cursor", message }] });
}

/** Where a page of a list by time ends. */
export interface TimeKey {
  /** ISO 8601, UTC, with microseconds: milliseconds would skip neighbours of one transaction. */
  at: string;
  /** UUID */
  id: string;
}

/** A page's end as an opaque word for the caller. */
export function writeCursor({ at, id }: TimeKey): string {
  return Buffer.from(`${at} ${id}`).toString("base64url");
}

/** Undefined for a word that is no cursor of ours. */
export function readCursor(cursor: string): TimeKey | undefined {
  const [, at, id] =
    /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
      Buffer.from(cursor, "base64url").toString(),
    ) ?? [];
  // Digits alone make no time: PostgreSQL would fail over a 45th of May.
  return at && id && isTime(at) ? { at, id } : undefined;
}

function isTime(text: string): boolean {
  const time = new Date(`${text.slice(0, -4)}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().slice(0, 19) === text.slice(0, 19);
}

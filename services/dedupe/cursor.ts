/** Where a page of reviews ends. */
export interface ReviewKey {
  /** ISO 8601, UTC, with microseconds. */
  at: string;
  id: string;
}

/** A page's end as an opaque word for the caller. */
export function writeCursor({ at, id }: ReviewKey): string {
  return Buffer.from(`${at} ${id}`).toString("base64url");
}

/** Undefined for a word that is no cursor of ours. */
export function readCursor(cursor: string): ReviewKey | undefined {
  const [, at, id] =
    /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
      Buffer.from(cursor, "base64url").toString(),
    ) ?? [];
  // Digits alone make no time: PostgreSQL would fail over a 45th of May.
  const time = at === undefined ? Number.NaN : Date.parse(at);
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 19) !== at!.slice(0, 19)) return undefined;
  return { at: at!, id: id! };
}

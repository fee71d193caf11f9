/** Where a page of the outbox ends. */
export interface OutboxKey {
  /** ISO 8601, UTC, with microseconds: milliseconds would skip e-mails of one transaction's neighbours. */
  writtenAt: string;
  leadId: string;
}

/** A page's end as an opaque word for the caller. */
export function writeCursor({ writtenAt, leadId }: OutboxKey): string {
  return Buffer.from(`${writtenAt} ${leadId}`).toString("base64url");
}

/** Undefined for a word that is no cursor of ours. */
export function readCursor(cursor: string): OutboxKey | undefined {
  const [, writtenAt, leadId] =
    /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
      Buffer.from(cursor, "base64url").toString(),
    ) ?? [];
  // Digits alone make no time: PostgreSQL would fail over a 45th of May.
  return writtenAt && leadId && isTime(writtenAt) ? { writtenAt, leadId } : undefined;
}

function isTime(text: string): boolean {
  const time = new Date(`${text.slice(0, -4)}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().slice(0, 19) === text.slice(0, 19);
}

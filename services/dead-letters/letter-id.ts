/** A dead letter's key: its place in the stream, and when the stream took it (ms since 1970): a stream made anew gives places again. */
export interface LetterKey {
  seq: number;
  diedAt: number;
}

/** `4711-mgz3k2ab`: the sequence, and the moment in base 36. */
export const letterPattern = /^[1-9]\d{0,14}-[0-9a-z]{1,10}$/;

export function letterId({ seq, diedAt }: LetterKey): string {
  return `${seq}-${diedAt.toString(36)}`;
}

/** undefined for what is no id. */
export function readLetterId(id: string): LetterKey | undefined {
  if (!letterPattern.test(id)) return undefined;
  const [seq, moment] = id.split("-") as [string, string];
  const diedAt = Number.parseInt(moment, 36);
  return diedAt < 8.64e15 ? { seq: Number(seq), diedAt } : undefined;
}

/** Where a page of a list ends, as an opaque word. */
export function writeCursor({ diedAt, seq }: LetterKey): string {
  return Buffer.from(`${diedAt} ${seq}`).toString("base64url");
}

/** undefined for a word that is no cursor of ours. */
export function readCursor(cursor: string): LetterKey | undefined {
  const [, diedAt, seq] = /^(\d{1,15}) (\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  return diedAt !== undefined ? { diedAt: Number(diedAt), seq: Number(seq) } : undefined;
}

import type { IncomingMessage } from "node:http";
import { LeadsError } from "../errors.ts";

/** Sends the body on chunk by chunk; a client that sends nothing for `idleMs` is cut off with 408. */
export async function* chunksOf(req: IncomingMessage, idleMs: number): AsyncGenerator<Buffer> {
  const late = new LeadsError("SLOW_REQUEST", `nothing came for ${idleMs / 1_000} s`);
  let timer: NodeJS.Timeout | undefined;
  const chunks = req.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      // Armed only while the client is waited for: a full intake may hold us up for as long as it likes.
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        timer = setTimeout(() => reject(late), idleMs);
        chunks.next().then(resolve, reject);
      });
      clearTimeout(timer);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a whole body of at most `limit` bytes within `withinMs`. Throws `TOO_LARGE`, `SLOW_REQUEST`, `MALFORMED`. */
export async function readBody(req: IncomingMessage, limit: number, withinMs: number): Promise<Buffer> {
  const tooLarge = () => new LeadsError("TOO_LARGE", `the body is larger than ${limit} bytes`);
  if (Number(req.headers["content-length"] ?? 0) > limit) throw tooLarge();
  const deadline = performance.now() + withinMs;
  const parts: Buffer[] = [];
  let size = 0;
  const chunks = chunksOf(req, withinMs);
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    if (performance.now() > deadline)
      throw new LeadsError("SLOW_REQUEST", `the body took longer than ${withinMs / 1_000} s`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** The media type without its parameters, lower case. Throws `UNSUPPORTED_MEDIA_TYPE` for one that is not in `accepted`. */
export function mediaTypeOf(req: IncomingMessage, accepted: readonly string[]): string {
  const { "content-type": type = "", "content-encoding": encoding = "identity" } = req.headers;
  const [media = "", ...parameters] = type
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const charset =
    parameters
      .find((p) => p.startsWith("charset="))
      ?.slice(8)
      .replaceAll('"', "") ?? "utf-8";
  if (!accepted.includes(media) || (charset !== "utf-8" && charset !== "utf8") || encoding !== "identity")
    throw new LeadsError("UNSUPPORTED_MEDIA_TYPE", `send ${accepted.join(" or ")}, in UTF-8, not compressed`);
  return media;
}

/** Parses a JSON object. Throws `MALFORMED`. */
export function parseJsonObject(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    // The engine's message quotes the body, which may hold personal data; it goes back to whoever sent it, never to a log.
    throw new LeadsError("MALFORMED", `the body is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw new LeadsError("MALFORMED", "the body is not a JSON object");
  return value as Record<string, unknown>;
}

import { createReadStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { LeadsError } from "../../mixins/errors.ts";

/** How long a server may take to answer, and to send one page. */
const timeoutMs = 15_000;

/** Where lists may come from; both empty: from nowhere. */
export interface Allowed {
  dir: string;
  origins: readonly string[];
}

/** The bytes of a list from `offset` on. Throws NOT_FOUND for one that is not there or not allowed, LISTING_UNREACHABLE for a server that does not answer. */
export function openList(listing: string, offset: number, allowed: Allowed): Promise<Readable> {
  return /^https?:\/\//i.test(listing) ? openUrl(listing, offset, allowed) : openFile(listing, offset, allowed);
}

async function openFile(listing: string, offset: number, { dir }: Allowed): Promise<Readable> {
  const refused = new LeadsError("NOT_FOUND", `there is no list ${JSON.stringify(listing)} in LEADS_LISTINGS_DIR`);
  if (dir === "") throw refused;
  let file: string;
  try {
    const [root, real] = await Promise.all([realpath(dir), realpath(resolve(dir, listing))]);
    // Links and `..` are followed first: what counts is where the file is.
    if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) throw refused;
    file = real;
  } catch {
    throw refused;
  }
  return createReadStream(file, { start: offset });
}

async function openUrl(listing: string, offset: number, { origins }: Allowed): Promise<Readable> {
  const url = URL.parse(listing);
  if (!url || !origins.includes(url.origin))
    throw new LeadsError("NOT_FOUND", `${JSON.stringify(listing)} is at none of LEADS_LISTINGS_ORIGINS`);
  const unreachable = (why: string, cause?: unknown) =>
    new LeadsError("LISTING_UNREACHABLE", `${url.origin} ${why}`, { listing }, { cause });
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { accept: "application/x-ndjson", ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) },
      // A redirect would lead to an origin that nobody allowed.
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    throw unreachable("does not answer", error);
  }
  const { status, body } = response;
  if (status === 416) return Readable.from([]);
  if (status === 404 || status === 410) throw new LeadsError("NOT_FOUND", `${url.href} answers ${status}`);
  if ((status !== 200 && status !== 206) || !body) {
    await body?.cancel();
    throw unreachable(`answers ${status}`);
  }
  const stream = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  // A server that knows no ranges sends the list from its beginning.
  const skip = status === 200 ? offset : 0;
  return Readable.from(behind(stream, skip, unreachable));
}

async function* behind(
  stream: Readable,
  skip: number,
  unreachable: (why: string, cause: unknown) => Error,
): AsyncGenerator<Buffer, void, void> {
  let left = skip;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (left >= chunk.length) left -= chunk.length;
      else {
        yield chunk.subarray(left);
        left = 0;
      }
    }
  } catch (error) {
    throw unreachable("stopped in the middle of a list", error);
  } finally {
    stream.destroy();
  }
}

/** One page of an NDJSON listing, read from a stream of bytes that begins at `offset` of the whole. Memory holds one page. */

export interface PageOptions {
  /** Where the stream begins in the list, in bytes. */
  offset: number;
  /** Is it wanted? One that says nothing of it is: the reader looks closer. */
  wanted(row: Record<string, unknown>): boolean;
  maxRows: number;
  /** Bytes of wanted rows a page holds at the most. */
  maxBytes: number;
  /** Bytes a page reads at the most, wanted rows or not: a page takes a bounded time. */
  maxScanBytes: number;
  /** A longer line is no listing. */
  maxLineBytes: number;
}

export interface Page {
  rows: { raw: unknown }[];
  unreadable: number;
  /** Offset of the next page; null at the end of the list. */
  cursor: string | null;
}

const lf = 0x0a;

export async function readPage(stream: AsyncIterable<Uint8Array>, options: PageOptions): Promise<Page> {
  const page: Page = { rows: [], unreadable: 0, cursor: null };
  let line: Buffer[] = [];
  let lineBytes = 0;
  let held = 0;
  /** Offset behind the last whole line. */
  let done = options.offset;
  const isFull = () =>
    page.rows.length >= options.maxRows || held >= options.maxBytes || done - options.offset >= options.maxScanBytes;
  const take = () => {
    if (lineBytes > options.maxLineBytes) page.unreadable++;
    else {
      const text = Buffer.concat(line).toString("utf8").trim();
      const row = text === "" ? null : parse(text);
      if (row === undefined) page.unreadable++;
      else if (row !== null && options.wanted(row)) {
        page.rows.push({ raw: row });
        held += lineBytes;
      }
    }
    line = [];
    lineBytes = 0;
  };
  for await (const bytes of stream) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let from = 0; from < chunk.length; ) {
      const at = chunk.indexOf(lf, from);
      const end = at < 0 ? chunk.length : at;
      lineBytes += end - from;
      if (lineBytes <= options.maxLineBytes) line.push(Buffer.from(chunk.subarray(from, end)));
      else line = [];
      if (at < 0) break;
      done += lineBytes + 1;
      take();
      from = at + 1;
      if (isFull()) return { ...page, cursor: String(done) };
    }
  }
  if (lineBytes > 0) take();
  return page;
}

/** The object of a line; undefined for one that cannot be read. */
function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A first, cheap look: false only for a listing that plainly names another postal code. What it says in one line of
 * text, or of its vertical in words of its own, is for whoever normalises it.
 */
export function mayBeIn(row: Record<string, unknown>, zip: string): boolean {
  const { address } = row;
  const nested =
    typeof address === "object" && address !== null ? (address as Record<string, unknown>)["zip"] : undefined;
  const told = row["zip"] ?? nested;
  if (typeof told !== "string" && typeof told !== "number") return true;
  const code = String(told).trim();
  return code === "" || code.startsWith(zip) || zip.startsWith(code) || zip === `0${code}`;
}

import { Bytes, byteOrderMark } from "./bytes.ts";
import { type ColumnMap, isOfUnknownList, joined, type Reader, RowsError, readerFor } from "./columns.ts";
import { CsvScanner, detectDelimiter } from "./csv.ts";
import type { Fault, RawLead } from "./raw.ts";

export interface RowOptions {
  format: "csv" | "ndjson";
  /** Which column tells which field; without one, CSV headers are matched by their names, NDJSON keys are the fields. */
  map?: ColumnMap;
  /** Bytes a row may have; a longer one is refused. */
  rowLimitBytes: number;
  /** Refuse a CSV that has a column of ids and none that says of which list they are. */
  needsSource?: boolean;
}

/** A row that was read, or one that cannot be; `line` is the line of the file where it begins, from 1. */
export type Row = { line: number; raw: RawLead } | { line: number; faults: Fault[]; text: string };

/**
 * Reads the rows of an upload, one at a time: memory holds one chunk and one row, and nothing more is pulled from
 * `stream` while the reader of the rows is busy. A bad row is told with its line and ends nothing. Throws
 * {@link RowsError} when the whole cannot be read (a mapping that does not fit the header, UTF-16, lines that end with CR).
 */
export function readRows(stream: AsyncIterable<Uint8Array>, options: RowOptions): AsyncGenerator<Row, void, void> {
  return options.format === "csv" ? csvRows(stream, options) : ndjsonRows(stream, options);
}

async function* csvRows(stream: AsyncIterable<Uint8Array>, options: RowOptions): AsyncGenerator<Row, void, void> {
  const scanner = new CsvScanner(options.rowLimitBytes);
  const reading = new CsvReading(options);
  let opened = false;
  for await (const chunk of chunks(stream)) {
    if (chunk) scanner.bytes.push(chunk);
    const final = chunk === undefined;
    if (!opened) {
      const head = headLine(scanner.bytes, options.rowLimitBytes, final);
      if (head === undefined) continue;
      refuseBareReturns(head);
      scanner.delimiter = detectDelimiter(head);
      opened = true;
    }
    for (let found = scanner.next(final); found; found = scanner.next(final)) {
      if ("cells" in found) {
        const row = reading.row(found.line, found.cells);
        if (row) yield row;
      } else {
        if (!reading.reader)
          throw new RowsError([{ field: "", message: `the header (line ${found.line}) ${found.message}` }]);
        reading.suspect = found.quote;
        yield { line: found.line, faults: [{ field: "", message: `the row ${found.message}` }], text: found.text };
      }
    }
  }
}

/** What the header said, and whether the rows at hand may be the remains of one with a broken quotation mark. */
class CsvReading {
  readonly #options: RowOptions;
  reader: Reader | undefined;
  #width = 0;
  suspect = false;

  constructor(options: RowOptions) {
    this.#options = options;
  }

  row(line: number, cells: string[]): Row | undefined {
    if (!this.reader) {
      this.reader = readerFor(cells, this.#options.map);
      if (this.#options.needsSource && isOfUnknownList(this.reader))
        throw new RowsError([{ field: "source", message: "say which list these ids are of (?source=…)" }]);
      this.#width = cells.length;
      return undefined;
    }
    const refused = this.#ragged(cells);
    if (refused !== undefined)
      return { line, faults: [{ field: "", message: refused }], text: cells.join(",").slice(0, 200) };
    const raw: { -readonly [F in keyof RawLead]: unknown } = {};
    for (const { field, cells: columns } of this.reader) {
      const value = columns.length === 1 ? cells[columns[0]!] : joined(columns.map((column) => cells[column] ?? ""));
      if (value !== undefined && value !== "") raw[field] = value;
    }
    return { line, raw };
  }

  /** Missing cells at the end are blank ones; more than the header has mean that values stand in wrong columns. */
  #ragged(cells: string[]): string | undefined {
    const counted = `the row has ${cells.length} cells where the header has ${this.#width}`;
    if (this.suspect) {
      if (cells.length < this.#width || cells.some((cell) => cell.endsWith('"')))
        return `the row seems to be what remains of the broken row above`;
      this.suspect = false;
    }
    return cells.slice(this.#width).some((cell) => cell.trim() !== "") ? counted : undefined;
  }
}

async function* ndjsonRows(stream: AsyncIterable<Uint8Array>, options: RowOptions): AsyncGenerator<Row, void, void> {
  const bytes = new Bytes();
  const limit = options.rowLimitBytes;
  let line = 0;
  let opened = false;
  /** Inside a line that is too long and already told. */
  let skipping = false;
  /** Bytes of the unfinished line that hold no line break: not searched again. */
  let searched = 0;
  for await (const chunk of chunks(stream)) {
    if (chunk) bytes.push(chunk);
    const final = chunk === undefined;
    if (!opened) {
      if (!final && bytes.end - bytes.start < 3) continue;
      skipMark(bytes);
      opened = true;
    }
    while (bytes.start < bytes.end) {
      const { start } = bytes;
      const found = bytes.buffer.subarray(0, bytes.end).indexOf(0x0a, start + searched);
      const end = found >= 0 ? found : bytes.end;
      searched = end - start;
      if (searched > limit || skipping) {
        if (!skipping) yield tooLong(line + 1, limit, bytes.text(start, start + 200));
        skipping = found < 0;
        line += found < 0 ? 0 : 1;
        bytes.start = found < 0 ? bytes.end : found + 1;
        searched = 0;
        if (found < 0) break;
        continue;
      }
      if (found < 0 && !final) break;
      line++;
      const text = bytes.text(start, end).trim();
      bytes.start = Math.min(end + 1, bytes.end);
      searched = 0;
      if (text !== "") yield parseLine(text, line, options.map);
    }
  }
}

function tooLong(line: number, limit: number, text: string): Row {
  return { line, faults: [{ field: "", message: `the row is longer than ${limit} bytes` }], text };
}

function parseLine(text: string, line: number, map: ColumnMap | undefined): Row {
  const refuse = (message: string): Row => ({ line, faults: [{ field: "", message }], text: text.slice(0, 200) });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(`the row is not JSON: ${(error as Error).message.replace(/, .*is not valid JSON$/s, "")}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse("the row must be a JSON object");
  return { line, raw: map ? pick(value as Record<string, unknown>, map) : (value as RawLead) };
}

function pick(value: Record<string, unknown>, map: ColumnMap): RawLead {
  const raw: { -readonly [F in keyof RawLead]: unknown } = {};
  const own = (name: string) => (Object.hasOwn(value, name) ? value[name] : undefined);
  for (const [field, column] of map) {
    const parts = Object.hasOwn(value, column) ? [column] : column.split("+").map((part) => part.trim());
    raw[field] =
      parts.length === 1 ? own(parts[0]!) : joined(parts.map((part) => (own(part) == null ? "" : String(own(part)))));
  }
  return raw;
}

/** The chunks, then undefined once for their end. */
async function* chunks(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array | undefined, void, void> {
  for await (const chunk of stream) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  yield undefined;
}

function skipMark(bytes: Bytes): void {
  const mark = byteOrderMark(bytes);
  if (mark === "utf16") throw new RowsError([{ field: "", message: "is UTF-16: save it as UTF-8" }]);
  bytes.start += mark;
}

/** A CR inside the first line, in no quoted cell: the whole file would be its header. */
function refuseBareReturns(head: string): void {
  if (/\r\S/.test(head.replace(/"[^"]*(?:"|$)/g, "")))
    throw new RowsError([{ field: "", message: "its lines end with CR alone: save it with CR LF or LF" }]);
}

/** The first line that has text, without which the separator is not known; undefined while it is not whole. */
function headLine(bytes: Bytes, limit: number, final: boolean): string | undefined {
  const held = bytes.end - bytes.start;
  const text = bytes.buffer.toString("latin1", bytes.start, Math.min(bytes.end, bytes.start + limit));
  const line = /^\s*(\S[^\n]*)\n/.exec(text)?.[1];
  if (line === undefined && held <= limit && !final) return undefined;
  skipMark(bytes);
  return line ?? text;
}

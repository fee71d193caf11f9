import { Bytes } from "./bytes.ts";

/**
 * RFC 4180, read from a stream, in constant memory, and not stopped by a bad row. csv-parse keeps an unclosed
 * quotation mark's cell till the end of the file and has no line of a row that failed; tests hold this against it on
 * well-formed input. States of the scan:
 *
 *     start --"--> quoted --"--> closed --"--> quoted (a doubled mark)
 *       |                          |--space--> after --separator--> start
 *       +--other--> bare           +--other--> broken row: go on at the line after its first
 *
 * Beyond the RFC: LF alone ends a line, too; bare marks inside a bare cell, spaces around a quoted cell.
 */

export interface CsvRecord {
  /** Line of the file where it begins, from 1. */
  line: number;
  cells: string[];
}
export interface CsvFault {
  line: number;
  message: string;
  /** What stands there, its first 200 bytes. */
  text: string;
  /** A quotation mark is wrong: the lines that follow may be the row's remains. */
  quote: boolean;
}

const quote = 0x22;
const lf = 0x0a;
const cr = 0x0d;
const space = 0x20;
const tab = 0x09;

const atStart = 0;
const inBare = 1;
const inQuoted = 2;
const atClosed = 3;
const atAfter = 4;

export class CsvScanner {
  readonly #bytes = new Bytes();
  readonly #limit: number;
  #delimiter = 0x2c;
  #line = 1;
  /** Drop everything up to the next line break: a row that is too long. */
  #skipping = false;
  // The scan of the present record; offsets from its first byte, so that they outlive a move of the buffer.
  #at = 0;
  #state = atStart;
  #cells: number[] = [];
  #from = 0;
  #to = -1;
  #doubled = false;
  #breaks = 0;
  #firstBreak = -1;

  /** `limit`: bytes a row may have. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): Bytes {
    return this.#bytes;
  }
  set delimiter(code: number) {
    this.#delimiter = code;
  }

  /** The next record or fault, or undefined when more bytes are needed (`final`: when all is read). Empty lines are passed over. */
  next(final: boolean): CsvRecord | CsvFault | undefined {
    const bytes = this.#bytes;
    if (this.#skipping && !this.#skipLine()) return undefined;
    const delimiter = this.#delimiter;
    let state = this.#state;
    for (;;) {
      const { buffer, start } = bytes;
      const length = Math.min(bytes.end - start, this.#limit + 1);
      let at = this.#at;
      let found = false;
      scan: for (; at < length; at++) {
        const byte = buffer[start + at]!;
        switch (state) {
          case inBare:
            if (byte === delimiter) {
              this.#cell(at);
              state = atStart;
            } else if (byte === lf) {
              found = true;
              break scan;
            }
            break;
          case inQuoted:
            if (byte === quote) {
              this.#to = at;
              state = atClosed;
            } else if (byte === lf) {
              this.#breaks++;
              if (this.#firstBreak < 0) this.#firstBreak = at + 1;
            }
            break;
          case atStart:
            if (byte === delimiter) this.#cell(at);
            else if (byte === lf) {
              found = true;
              break scan;
            } else if (byte === quote) {
              this.#from = at + 1;
              state = inQuoted;
            } else if (byte !== space && byte !== tab) state = inBare;
            break;
          default:
            if (byte === delimiter) {
              this.#cell(at);
              state = atStart;
            } else if (byte === lf) {
              found = true;
              break scan;
            } else if (byte === quote && state === atClosed) {
              this.#doubled = true;
              state = inQuoted;
            } else if (byte === space || byte === cr || byte === tab) state = atAfter;
            else {
              this.#at = at;
              return this.#broken("has a quotation mark inside a quoted cell that is not doubled");
            }
        }
      }
      this.#at = at;
      this.#state = state;
      if (!found && at > this.#limit) {
        return state === inQuoted && this.#firstBreak >= 0
          ? this.#broken(`has a quotation mark that nothing closes within ${this.#limit} bytes`)
          : this.#tooLong();
      }
      if (!found && (!final || at === 0)) return undefined;
      if (!found && state === inQuoted) return this.#broken("has a quotation mark that nothing closes");
      this.#cell(at);
      const record = this.#record(at + (found ? 1 : 0));
      state = this.#state;
      if (record) return record;
    }
  }

  #cell(at: number): void {
    this.#cells.push(this.#from, this.#to >= 0 ? this.#to : at, this.#to >= 0 ? (this.#doubled ? 2 : 1) : 0);
    this.#from = at + 1;
    this.#to = -1;
    this.#doubled = false;
  }

  /** Cuts the record's cells out and goes on behind it; undefined for an empty line. */
  #record(used: number): CsvRecord | undefined {
    const { start } = this.#bytes;
    const cells: string[] = [];
    for (let n = 0; n < this.#cells.length; n += 3) {
      const text = this.#bytes.text(start + this.#cells[n]!, start + this.#cells[n + 1]!);
      cells.push(this.#cells[n + 2] === 2 ? text.replaceAll('""', '"') : this.#cells[n + 2] === 1 ? text : text.trim());
    }
    const record = { line: this.#line, cells };
    this.#forward(used, this.#breaks + 1);
    return cells.length === 1 && cells[0] === "" ? undefined : record;
  }

  #broken(message: string): CsvFault {
    const end = this.#firstBreak >= 0 ? this.#firstBreak : this.#at;
    const fault = { line: this.#line, message, text: this.#head(end), quote: true };
    this.#skip();
    return fault;
  }

  #tooLong(): CsvFault {
    const message = `is longer than ${this.#limit} bytes`;
    const fault = { line: this.#line, message, text: this.#head(this.#at), quote: this.#firstBreak >= 0 };
    this.#skip();
    return fault;
  }

  #head(end: number): string {
    const { start } = this.#bytes;
    return this.#bytes.text(start, start + Math.min(end, 200)).trimEnd();
  }

  #forward(used: number, lines: number): void {
    this.#bytes.start += used;
    this.#line += lines;
    this.#at = 0;
    this.#state = atStart;
    this.#cells = [];
    this.#from = 0;
    this.#to = -1;
    this.#doubled = false;
    this.#breaks = 0;
    this.#firstBreak = -1;
  }

  /** Gives the row up: goes on behind its first line, which is where others begin if a mark swallowed them. */
  #skip(): void {
    if (this.#firstBreak >= 0) this.#forward(this.#firstBreak, 1);
    else {
      this.#forward(this.#at, 0);
      this.#skipping = true;
      this.#skipLine();
    }
  }

  /** Drops bytes up to and with the next line break; false when it has not come yet. */
  #skipLine(): boolean {
    const bytes = this.#bytes;
    const at = bytes.buffer.subarray(0, bytes.end).indexOf(lf, bytes.start);
    if (at < 0) {
      bytes.start = bytes.end;
      return false;
    }
    bytes.start = at + 1;
    this.#line++;
    this.#skipping = false;
    return true;
  }
}

/** The separator of a header line: comma, semicolon, tab or bar, whichever parts it most. */
export function detectDelimiter(header: string): number {
  const bare = header.replace(/"[^"]*"/g, "");
  let best = ",";
  for (const candidate of [";", "\t", "|"])
    if (bare.split(candidate).length > bare.split(best).length) best = candidate;
  return best.charCodeAt(0);
}

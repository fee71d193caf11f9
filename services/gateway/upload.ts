import type { Fault } from "../intake/raw.ts";
import type { Row } from "../intake/rows.ts";
import type { Lead } from "../leads/lead.ts";

/** Refused rows that are listed; the rest is counted. */
const listedRows = 1_000;
/** Faults of a row that are listed: a thousand rows of unknown fields must still make a bounded answer. */
const listedFaults = 20;

export interface Counts {
  importId: string;
  /** Rows read. */
  rows: number;
  /** Rows that are stored. */
  accepted: number;
  refused: number;
  refusedRows: { line: number; faults: Fault[] }[];
  truncated: boolean;
}

export interface Sink {
  /** Resolves when there is room for the next. */
  write(lead: Lead): Promise<void>;
  readonly accepted: number;
  /** Resolves when all is stored. */
  end(): Promise<void>;
}

/** An upload as it stands: what has been read, refused and stored so far. */
export class Upload {
  readonly #importId: string;
  readonly #sink: Sink;
  #rows = 0;
  #refused = 0;
  readonly #listed: Counts["refusedRows"] = [];

  constructor(importId: string, sink: Sink) {
    this.#importId = importId;
    this.#sink = sink;
  }

  get counts(): Counts {
    return {
      importId: this.#importId,
      rows: this.#rows,
      accepted: this.#sink.accepted,
      refused: this.#refused,
      refusedRows: this.#listed,
      truncated: this.#refused > this.#listed.length,
    };
  }

  /**
   * Takes the rows in, no faster than the sink has room. Ends early, and says so, when `leaving` is aborted. Whatever
   * stops it (the connection broke, the sink is full), what was read and is a lead is still written out where that is
   * possible, and the first error is thrown.
   */
  async take(
    rows: AsyncIterable<Row>,
    read: (row: Extract<Row, { raw: unknown }>) => { lead: Lead } | { faults: Fault[] },
    leaving: AbortSignal,
  ): Promise<"whole" | "cut"> {
    let end: "whole" | "cut" = "whole";
    try {
      for await (const row of rows) {
        this.#rows++;
        const result = "raw" in row ? read(row) : row;
        if ("lead" in result) await this.#sink.write(result.lead);
        else this.#refuse(row.line, result.faults);
        if (leaving.aborted) {
          end = "cut";
          break;
        }
      }
    } catch (error) {
      // The sink may be what failed: then it says so again, and the first error is the one that tells.
      await this.#sink.end().catch(() => {});
      throw error;
    }
    await this.#sink.end();
    return end;
  }

  #refuse(line: number, faults: Fault[]): void {
    this.#refused++;
    if (this.#listed.length < listedRows) this.#listed.push({ line, faults: faults.slice(0, listedFaults) });
  }
}

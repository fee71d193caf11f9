import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Counts } from "./summary.ts";

/** How far an import has come: everything up to `line` is stored, or stands in the refused file. */
export interface Checkpoint {
  /** Hash of the options that decide what a row becomes: with others, an import begins anew. */
  options: string;
  /** Last line of the file whose row is done. */
  line: number;
  counts: Counts;
  /** Length of the refused file; what a kill left behind it is cut off. */
  refusedBytes: number;
}

/** The checkpoint in `file`, or undefined when there is none for these options, or none that can be read. */
export function readCheckpoint(file: string, options: string): Checkpoint | undefined {
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as Checkpoint;
    return found.options === options && Number.isInteger(found.line) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Writes it whole or not at all: a kill in between leaves the one before. */
export function writeCheckpoint(file: string, checkpoint: Checkpoint): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(checkpoint));
  renameSync(`${file}.new`, file);
}

export function removeCheckpoint(file: string): void {
  rmSync(file, { force: true });
}

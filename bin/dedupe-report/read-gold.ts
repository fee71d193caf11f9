import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { parseMap, RowsError } from "../../services/intake/columns.ts";
import { normalise } from "../../services/intake/normalise.ts";
import { readRows } from "../../services/intake/rows.ts";
import type { Lead } from "../../services/leads/lead.ts";

export interface GoldRow {
  line: number;
  /** Undefined: the row is refused, and so found with nobody. */
  lead: Lead | undefined;
  /** Undefined: unknown. */
  gold: string | undefined;
}

export interface GoldFile {
  file: string;
  gold: string;
  map?: string | undefined;
  format?: "csv" | "ndjson" | undefined;
  region: string;
  areaCode?: string | undefined;
  rowLimitBytes: number;
}

/**
 * Reads a file's rows as an import would, and beside each its true cluster. The gold comes from a second reading of its
 * column alone, so that no lead can carry it to a decision. Throws `RowsError` when the file cannot be read.
 */
export async function readGold(options: GoldFile): Promise<GoldRow[]> {
  const { file, map, areaCode } = options;
  const format = options.format ?? (/\.(ndjson|jsonl|json)$/i.test(file) ? "ndjson" : "csv");
  const golds = new Map<number, string>();
  // The reader wants a name; here it is the gold's column.
  const column = new Map([["name" as const, options.gold]]);
  const rows = (only?: ReturnType<typeof parseMap>) =>
    readRows(createReadStream(file), { format, rowLimitBytes: options.rowLimitBytes, ...(only && { map: only }) });
  try {
    for await (const row of rows(column)) if ("raw" in row) golds.set(row.line, String(row.raw.name ?? "").trim());
  } catch (error) {
    throw error instanceof RowsError ? new Error(`--gold: ${error.faults[0]!.message}`) : error;
  }
  const read: GoldRow[] = [];
  for await (const row of rows(map === undefined ? undefined : parseMap(map))) {
    const told = golds.get(row.line) ?? "";
    const gold = told === "" || told.toLowerCase() === "x" ? undefined : told;
    const normalised =
      "raw" in row
        ? normalise(row.raw, {
            tenant: "report",
            source: basename(file).slice(0, 64),
            trust: "imported",
            defaultRegion: options.region,
            ...(areaCode !== undefined && { areaCode }),
            now: row.line,
            newId: () => `00000000-0000-7000-8000-${row.line.toString(16).padStart(12, "0")}`,
          })
        : row;
    read.push({ line: row.line, lead: "lead" in normalised ? normalised.lead : undefined, gold });
  }
  return read;
}

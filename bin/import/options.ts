import type { Lane } from "../../config/names.ts";
import type { Trust } from "../../services/leads/lead.ts";
import type { Counts } from "./summary.ts";

export interface ImportOptions {
  file: string;
  tenant: string;
  /** Default: by the file's name, `.ndjson`, `.jsonl` and `.json` are NDJSON, all else is CSV. */
  format?: "csv" | "ndjson" | undefined;
  /** `name=Site name,phone=Phone`; default: columns are known by their names. */
  map?: string | undefined;
  /** Source of rows that name none. Default: the file's name. */
  source?: string | undefined;
  /** Default: imported. */
  trust?: Trust | undefined;
  /** Default: LEADS_DEFAULT_REGION. */
  region?: string | undefined;
  areaCode?: string | undefined;
  vertical?: string | undefined;
  /** Default: bulk. */
  lane?: Lane | undefined;
  /** Where checkpoints and, unless `refusedFile` is given, refused rows are kept. */
  stateDir: string;
  refusedFile?: string | undefined;
  /** Begin anew though a checkpoint is there, and overwrite what `refusedFile` holds. */
  restart?: boolean | undefined;
  /** How long a full or absent NATS is waited for before the import gives up. Default: 10 minutes. */
  patienceMs?: number | undefined;
}

export interface Progress extends Counts {
  bytes: number;
  totalBytes: number;
  /** Rows a second since this run began. */
  rate: number;
  /** Unknown at first. */
  etaMs?: number;
  /** Why it stands still, when it does. */
  waiting?: string;
}

export interface ImportSummary extends Counts {
  file: string;
  importId: string;
  /** Where the refused rows are, when there are some. */
  refusedFile?: string;
  /** Rows that an earlier run had done. */
  resumedRows: number;
  seconds: number;
  rowsPerSecond: number;
}

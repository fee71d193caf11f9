import { tenantPattern } from "../../config/names.ts";
import { letterPattern } from "./letter-id.ts";
import type { LetterFilter } from "./letters.sql.ts";

/** The parameters that the actions share. */

export type Filter = Omit<LetterFilter, "ids">;

/** What a redrive and a discard are told. */
export interface Asked {
  tenant: string;
  by: string;
  /** The job's: who may have to ask again gives it, so that it is one job however often it is asked. */
  id?: string;
  ids?: string[];
  filter?: Filter;
  limit?: number;
  rate?: number;
  dryRun: boolean;
}

/** A tenant's name, or '*' for everybody's. */
export const tenant = { type: "string", pattern: new RegExp(`${tenantPattern.source}|^\\*$`) } as const;
export const word = { type: "string", min: 1, max: 200, optional: true } as const;
export const time = { type: "number", integer: true, min: 0, max: 8.64e15, optional: true } as const;
export const limit = { type: "number", integer: true, min: 1, max: 200, default: 50 } as const;
export const filterFields = { stage: word, error: word, since: time, until: time } as const;
export const letter = { type: "string", pattern: letterPattern } as const;
export const by = { type: "string", min: 1, max: 100 } as const;
export const strict = { $$strict: true } as const;
/** Of {@link Asked}. */
export const asked = {
  tenant,
  by,
  id: { type: "uuid", optional: true },
  ids: { type: "array", items: letter, min: 1, max: 10_000, optional: true },
  filter: { type: "object", props: filterFields, strict: true, optional: true },
  limit: { type: "number", integer: true, min: 1, max: 1_000_000_000, optional: true },
  rate: { type: "number", integer: true, min: 1, max: 10_000, optional: true },
  dryRun: { type: "boolean", default: false },
  ...strict,
} as const;

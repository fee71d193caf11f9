import { tenantPattern } from "../../config/names.ts";
import { letterPattern } from "./letter-id.ts";

/** The parameters that the actions share. */

/** A tenant's name, or '*' for everybody's. */
export const tenant = { type: "string", pattern: new RegExp(`${tenantPattern.source}|^\\*$`) } as const;
export const word = { type: "string", min: 1, max: 200, optional: true } as const;
export const time = { type: "number", integer: true, min: 0, max: 8.64e15, optional: true } as const;
export const limit = { type: "number", integer: true, min: 1, max: 200, default: 50 } as const;
export const filterFields = { stage: word, error: word, since: time, until: time } as const;
export const letter = { type: "string", pattern: letterPattern } as const;
export const ids = { type: "array", items: letter, min: 1, max: 10_000, optional: true } as const;
export const filter = {
  type: "object",
  props: filterFields,
  strict: true,
  optional: true,
} as const;
export const by = { type: "string", min: 1, max: 100 } as const;
export const most = { type: "number", integer: true, min: 1, max: 1_000_000_000, optional: true } as const;
export const rate = { type: "number", integer: true, min: 1, max: 10_000, optional: true } as const;
export const dry = { type: "boolean", default: false } as const;
export const strict = { $$strict: true } as const;

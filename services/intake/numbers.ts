import { ranges } from "./limits.ts";
import type { Findings } from "./raw.ts";
import { isBlank, isPlaceholder, shown } from "./text.ts";

/** A number, or text of one (`1,234`, `$50,000`), inside its range. */
export function readNumber(
  value: unknown,
  field: keyof typeof ranges,
  findings: Findings,
  max: number = ranges[field].max,
): number | undefined {
  if (isBlank(value)) return undefined;
  const { min, whole } = ranges[field];
  let number = Number.NaN;
  if (typeof value === "number") number = value;
  else if (typeof value === "string" && value.length <= 40) {
    const text = value.trim().replace(/^\$\s*/, "");
    if (/^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?$|^-?\d+(?:\.\d+)?$/.test(text)) number = Number(text.replaceAll(",", ""));
  }
  if (number === 0) number = 0; // no -0
  if (Number.isFinite(number) && number >= min && number <= max && (!whole || Number.isInteger(number))) return number;
  return findings.drop(field, `${shown(value)} is not a ${whole ? "whole number" : "number"} from ${min} to ${max}`);
}

/** true or false, or text that says so. */
export function readFlag(value: unknown, field: string, findings: Findings): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (isBlank(value)) return undefined;
  const text = typeof value === "string" || typeof value === "number" ? String(value).trim().toLowerCase() : "";
  if (/^(?:true|yes|y|1)$/.test(text)) return true;
  if (/^(?:false|no|n|0)$/.test(text)) return false;
  if (isPlaceholder(text)) return undefined;
  return findings.drop(field, `${shown(value)} is neither yes nor no`);
}

import { limits } from "./limits.ts";
import type { Findings } from "./raw.ts";

/** Plain printable ASCII with single spaces inside: nearly every value, and nothing to do. */
const clean = /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/;
/** Controls but white space, soft hyphen, zero-width space, bidirectional overrides, byte order mark, and the like. Joiners stay: scripts need them. */
const invisible =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  /[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Text fit to be kept: Unicode NFC, invisible characters and NUL out, white space (line breaks too) one space, lone
 * surrogates replaced (PostgreSQL's jsonb refuses them). HTML stays what it is: text.
 */
export function cleanText(value: string): string {
  if (clean.test(value)) return value;
  return value.toWellFormed().normalize("NFC").replace(invisible, "").replace(/\s+/g, " ").trim();
}

/** A wrong value as a message shows it. */
export function shown(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = typeof value; // a cycle, a BigInt
  }
  return text.length > limits.shown ? `${text.slice(0, limits.shown).toWellFormed()}…` : text;
}

/** What a message calls the type of a value. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Is nothing told? Absent, null, and text of white space only. */
export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

interface TextOptions {
  /** Most characters. */
  max: number;
  /** A JSON number is read as its digits (phones, postal codes, ids). */
  numbers?: boolean;
  /** A wrong one refuses the lead. */
  required?: boolean;
  /** Line breaks mean something (addresses): the caller cleans. */
  raw?: boolean;
}

/** An optional field's text, or undefined: not told, or dropped with a note. */
export function readText(value: unknown, field: string, findings: Findings, options: TextOptions): string | undefined {
  if (isBlank(value)) return undefined;
  const wrong = (message: string) =>
    options.required ? findings.refuse(field, message) : findings.drop(field, message);
  if (typeof value === "number" && options.numbers && Number.isFinite(value)) return String(value);
  if (typeof value !== "string") return wrong(`must be text, is ${typeName(value)}`);
  if (value.length > options.max * 4) return wrong(`has over ${options.max} characters`);
  const cleaned = cleanText(value);
  if (cleaned === "") return undefined;
  if (cleaned.length > options.max) return wrong(`has ${cleaned.length} characters, at most ${options.max} are kept`);
  return options.raw ? value : cleaned;
}

const placeholder =
  /^(?:n\.? ?\/? ?a\.?|none|null|nil|nan|undefined|unknown|tbd|tba|not (?:available|applicable|listed|known|given)|missing|[-–—._?*#/\\ ]+)$/i;

/** What people write where they have nothing to write. */
export function isPlaceholder(text: string): boolean {
  return placeholder.test(text);
}

/** `Café & Bar` -> `cafe-and-bar`; letters of every script stay. Empty when nothing is left. */
export function slug(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/&/g, " and ")
    .replace(/['’`]/g, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
    .normalize("NFC");
}

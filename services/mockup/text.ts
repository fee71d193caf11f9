/** Control characters, and those that turn the direction of what follows them (CVE-2021-42574). */
const harmful = /[\p{Cc}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/**
 * Text from outside made fit to be shown: well-formed, without control and direction characters, on one line, at most
 * `limit` characters as a reader counts them (an emoji is one).
 */
export function clean(text: string | undefined, limit: number): string {
  if (text === undefined) return "";
  // No more is looked at than could be needed: a name of a megabyte costs no more than a long one.
  const line = text
    .slice(0, limit * 16)
    .toWellFormed()
    .replace(harmful, " ")
    .replace(/\s+/g, " ")
    .trim();
  if (line.length <= limit) return line;
  const shown = [...graphemes.segment(line)].map((part) => part.segment);
  return shown.length <= limit
    ? line
    : `${shown
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`;
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** The first letters of the first two words, for a sign: "Joe's Plumbing" -> "JP". */
export function initials(name: string): string {
  const letters = clean(name, 80)
    .split(" ")
    .flatMap((word) => word.match(/[\p{L}\p{N}]/u)?.[0] ?? []);
  return letters.slice(0, 2).join("").toUpperCase() || "•";
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Escapes for HTML text and for attributes in quotes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

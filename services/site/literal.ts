/**
 * Reads a regular expression far enough to say which literal a text must hold for it to match. The fingerprints are
 * compiled with it: a page is searched once for all literals, and only the patterns whose literal is there are run.
 * Case is ignored, as the fingerprints ignore it: literals come back in lower case.
 */

/** Shorter literals stand on every page and choose nothing. */
export const minLiteralLength = 3;
const maxAlternatives = 12;

interface Reader {
  source: string;
  at: number;
}

/**
 * The literals of which every match of `source` contains at least one: the set whose shortest member is longest.
 * null where there is none of {@link minLiteralLength} characters (or where the source is not understood).
 */
export function requiredLiterals(source: string): string[] | null {
  const reader = { source, at: 0 };
  const found = alternation(reader);
  return reader.at === source.length && worth(found) >= minLiteralLength ? found : null;
}

type Literals = string[] | null;
const worth = (literals: Literals): number => (literals === null ? 0 : Math.min(...literals.map((l) => l.length)));
const better = (a: Literals, b: Literals): Literals => (worth(b) > worth(a) ? b : a);

function alternation(reader: Reader): Literals {
  let all: Literals = sequence(reader);
  while (reader.source[reader.at] === "|") {
    reader.at++;
    const branch = sequence(reader);
    all = all === null || branch === null ? null : [...new Set([...all, ...branch])];
  }
  return all !== null && all.length > maxAlternatives ? null : all;
}

/** One branch: the longest run of plain characters, or what a group of it requires. */
function sequence(reader: Reader): Literals {
  let best: Literals = null;
  let run = "";
  const endRun = () => {
    if (run !== "") best = better(best, [run]);
    run = "";
  };
  while (reader.at < reader.source.length && !"|)".includes(reader.source[reader.at]!)) {
    const part = atom(reader);
    const { min, max } = quantifier(reader);
    if (typeof part === "string" && min === 1 && max === 1) {
      run += part;
    } else {
      // `ab+c` needs "ab", then again something that begins after the last b.
      if (typeof part === "string" && min >= 1) run += part;
      endRun();
      if (Array.isArray(part) && min >= 1) best = better(best, part);
    }
  }
  endRun();
  return best;
}

/** A character (string), what a group requires (array), or anything else (null). */
function atom(reader: Reader): string | Literals {
  const { source } = reader;
  const char = source[reader.at++]!;
  if (char === "(") return group(reader);
  if (char === "[") {
    const start = reader.at;
    while (reader.at < source.length && source[reader.at] !== "]") reader.at += source[reader.at] === "\\" ? 2 : 1;
    reader.at++;
    const inside = source.slice(start, reader.at - 1);
    return /^[^\\^]$/.test(inside) ? plain(inside) : /^\\[^\w]$/.test(inside) ? plain(inside[1]!) : null;
  }
  if (char === "\\") {
    const escaped = source[reader.at++] ?? "";
    if (escaped === "x") reader.at += 2;
    else if (escaped === "u") reader.at += 4;
    return /\w/.test(escaped) ? null : plain(escaped);
  }
  return ".^$".includes(char) ? null : plain(char);
}

function group(reader: Reader): Literals {
  const head = /^\?(?::|[=!]|<[=!]|<\w+>)/.exec(reader.source.slice(reader.at, reader.at + 40))?.[0] ?? "";
  reader.at += head.length;
  const inside = alternation(reader);
  reader.at++;
  // What is only looked at need not be part of the match.
  return head === "" || head === "?:" || head.endsWith(">") ? inside : null;
}

function quantifier(reader: Reader): { min: number; max: number } {
  const found = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/.exec(reader.source.slice(reader.at, reader.at + 16));
  if (!found) return { min: 1, max: 1 };
  reader.at += found[0].length;
  if (found[1] !== undefined) {
    const min = Number(found[1]);
    return { min, max: found[2] === "" ? min : found[3] === "" ? Number.POSITIVE_INFINITY : Number(found[3]) };
  }
  return { min: found[0][0] === "+" ? 1 : 0, max: found[0][0] === "?" ? 1 : Number.POSITIVE_INFINITY };
}

/** Beyond ASCII upper and lower case are no simple matter: such a character ends the run. */
function plain(char: string): string | null {
  const code = char.charCodeAt(0);
  return code >= 0x20 && code < 0x7f ? char.toLowerCase() : null;
}

/**
 * The same expression with every open repetition (`*`, `+`, `{n,}`) bounded: what a hostile page can make it cost is
 * bounded with it. Matches longer than the bound are lost.
 */
export function boundRepetitions(source: string, most: number): string {
  let bounded = "";
  for (let at = 0; at < source.length; ) {
    const token = /^(?:\\.|\[(?:\\.|[^\]\\])*\]|\{(\d+),\}|[\s\S])/.exec(source.slice(at))!;
    at += token[0].length;
    if (token[0] === "*") bounded += `{0,${most}}`;
    else if (token[0] === "+") bounded += `{1,${most}}`;
    else if (token[1] !== undefined) bounded += `{${token[1]},${Math.max(most, Number(token[1]))}}`;
    else bounded += token[0];
  }
  return bounded;
}

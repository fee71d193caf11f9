/**
 * A statement's name: what it does and to which table first, `insert leads`; `commit`. Never a value: those are bound, not
 * written, and of the text nothing else is taken.
 */
export function statementName(sql: string): string {
  const known = names.get(sql);
  if (known !== undefined) return known;
  const text = sql.slice(0, longest);
  const name =
    named(text, /\b(insert)\s+into\s+"?([a-z_]+)/i) ??
    named(text, /(?<!\bfor\s+|\bdo\s+|\bkey\s+)\b(update)\s+(?:only\s+)?"?([a-z_]+)"?\s+(?:as\s+)?(?:\w+\s+)?set\b/i) ??
    named(text, /\b(delete)\s+from\s+"?([a-z_]+)/i) ??
    named(text, /\b(select)\b[\s\S]*?(?<!distinct\s)\bfrom\s+"?([a-z_]+)\b(?!\s*\()/i) ??
    /^\s*([a-z]+)/i.exec(text)?.[1]?.toLowerCase() ??
    "statement";
  // A few hundred texts are all there are; where some are built by hand they do not pile up.
  if (names.size >= kept) names.clear();
  names.set(sql, name);
  return name;
}

const names = new Map<string, string>();
const kept = 1_000;
/** Characters of a text that are looked at. */
const longest = 4_000;

function named(text: string, pattern: RegExp): string | undefined {
  const [, verb, table] = pattern.exec(text) ?? [];
  return verb && `${verb.toLowerCase()} ${table!.toLowerCase()}`;
}

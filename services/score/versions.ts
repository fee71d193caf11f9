/**
 * The parts of a version: split at dots, each counts by its leading digits; the first part without digits ends it, and
 * a leading "v" is left out ("v8.1-beta2" is 8.1). Undefined when it has no digits to start with: such a version is not known.
 */
export function partsOf(version: string): number[] | undefined {
  const parts = version
    .trim()
    .replace(/^v(?=\d)/i, "")
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  const end = parts.findIndex(Number.isNaN);
  if (end === 0) return undefined;
  return end < 0 ? parts : parts.slice(0, end);
}

/** Compares part by part, like a sort function; missing parts are 0 (1.12.4 < 3, 3 = 3.0). */
export function compareParts(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

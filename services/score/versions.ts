/**
 * Compares two versions part by part: parts are split at dots, each counts by its leading digits, missing parts are 0
 * ("1.12.4" < "3", "3" = "3.0"). A leading "v" and what follows the digits of a part ("8-beta1") are left out.
 * Negative, zero or positive like a sort function; undefined when one of the two has no digits to start with.
 */
export function compareVersions(a: string, b: string): number | undefined {
  const left = partsOf(a);
  const right = partsOf(b);
  if (!left || !right) return undefined;
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function partsOf(version: string): number[] | undefined {
  const parts = version
    .trim()
    .replace(/^v(?=\d)/i, "")
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  if (Number.isNaN(parts[0])) return undefined;
  const end = parts.findIndex(Number.isNaN);
  return end < 0 ? parts : parts.slice(0, end);
}

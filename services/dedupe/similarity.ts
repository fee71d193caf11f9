/**
 * Jaro-Winkler similarity of two words, 0 to 1: agreeing characters within half the longer word, less half of those out
 * of order, raised for a common start (Winkler 1990, "String Comparator Metrics and Enhanced Decision Rules in the
 * Fellegi-Sunter Model of Record Linkage"; prefix scale 0.1, up to four characters).
 */
export function jaroWinkler(a: string, b: string): number {
  if (a === b) return 1;
  const reach = Math.max(0, Math.floor(Math.max(a.length, b.length) / 2) - 1);
  const taken = new Uint8Array(b.length);
  const ofA: string[] = [];
  for (let i = 0; i < a.length; i++) {
    const end = Math.min(b.length, i + reach + 1);
    for (let j = Math.max(0, i - reach); j < end; j++) {
      if (taken[j] === 1 || a[i] !== b[j]) continue;
      taken[j] = 1;
      ofA.push(a[i]!);
      break;
    }
  }
  const m = ofA.length;
  if (m === 0) return 0;
  let swapped = 0;
  let n = 0;
  for (let j = 0; j < b.length; j++) {
    if (taken[j] === 1 && b[j] !== ofA[n++]) swapped++;
  }
  const jaro = (m / a.length + m / b.length + (m - swapped / 2) / m) / 3;
  let start = 0;
  while (start < 4 && a[start] === b[start] && start < a.length && start < b.length) start++;
  return jaro + start * 0.1 * (1 - jaro);
}

/** Is `b` one slip away from `a`: a character more, less or other, or two neighbours swapped? Equal ones are not. */
export function oneSlip(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  let from = 0;
  while (from < a.length && from < b.length && a[from] === b[from]) from++;
  let back = 0;
  while (back < a.length - from && back < b.length - from && a.at(-1 - back) === b.at(-1 - back)) back++;
  const [x, y] = [a.slice(from, a.length - back), b.slice(from, b.length - back)];
  if (x.length <= 1 && y.length <= 1) return true;
  return x.length === 2 && y.length === 2 && x[0] === y[1] && x[1] === y[0];
}

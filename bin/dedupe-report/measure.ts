import { Sets } from "../../services/dedupe/decide.ts";
import type { Compared } from "../../services/dedupe/pairs.ts";
import { type Thresholds, thresholds, verdictOf } from "../../services/dedupe/verdict.ts";
import type { GoldRow } from "./read-gold.ts";

export interface Measure {
  precision: number;
  recall: number;
  f1: number;
  /** Share of the true pairs that were compared at all. */
  blockingRecall: number;
  /** Pairs that a person would be asked about: in doubt, and not tied together by others. */
  doubt: number;
}

/** Rows that belong together, and the pair among them that says most. */
export interface Mistake {
  /** Pairs of rows that it gets wrong. */
  pairs: number;
  a: GoldRow;
  b: GoldRow;
  /** Undefined where the two were never compared. */
  compared: Compared | undefined;
}

const pairsOf = (n: number) => (n * (n - 1)) / 2;
const idOf = ({ lead, line }: GoldRow) => lead?.leadId ?? `line ${line}`;
const count = (groups: Iterable<readonly unknown[]>) =>
  [...groups].reduce((sum, { length }) => sum + pairsOf(length), 0);

/** Clusters of rows by the pairs that are the same. */
export function clustersOf(compared: readonly Compared[], at: Thresholds = thresholds): Sets {
  const sets = new Sets();
  for (const { a, b, comparison } of compared) if (verdictOf(comparison, at) === "same") sets.join(a, b);
  return sets;
}

/** Measures clusters by pairs of rows whose gold is known. Of no pairs found the precision is 1, of none true the recall. */
export function measure(rows: readonly GoldRow[], compared: readonly Compared[], at: Thresholds = thresholds): Measure {
  const sets = clustersOf(compared, at);
  const known = rows.filter((row) => row.gold !== undefined);
  const clusterOf = (row: GoldRow) => sets.find(idOf(row));
  const found = count(Map.groupBy(known, clusterOf).values());
  const gold = Map.groupBy(known, (row) => row.gold!);
  const right = count(Map.groupBy(known, (row) => `${row.gold} ${clusterOf(row)}`).values());
  const met = new Set(compared.map(({ a, b }) => `${a} ${b}`));
  let blocked = 0;
  for (const members of gold.values()) {
    for (const [n, row] of members.entries()) {
      for (const other of members.slice(n + 1)) {
        const [a, b] = [idOf(row), idOf(other)].sort();
        if (a === b || met.has(`${a} ${b}`)) blocked++;
      }
    }
  }
  const all = count(gold.values());
  const doubt = compared.filter(
    ({ a, b, comparison }) => verdictOf(comparison, at) === "doubt" && sets.find(a) !== sets.find(b),
  ).length;
  const precision = found === 0 ? 1 : right / found;
  const recall = all === 0 ? 1 : right / all;
  const f1 = found + all === 0 ? 1 : (2 * right) / (found + all);
  return { precision, recall, f1, blockingRecall: all === 0 ? 1 : blocked / all, doubt };
}

/** The worst errors each way: clusters wrongly joined, and true clusters torn, by the pairs that they cost. */
export function worst(
  rows: readonly GoldRow[],
  compared: readonly Compared[],
  most = 10,
): { joined: Mistake[]; torn: Mistake[] } {
  const sets = clustersOf(compared);
  const known = rows.filter((row) => row.gold !== undefined);
  const byPair = new Map(compared.map((pair) => [`${pair.a} ${pair.b}`, pair]));
  const clusterOf = (row: GoldRow) => sets.find(idOf(row));
  const between = (groups: Iterable<GoldRow[]>, part: (row: GoldRow) => string) => {
    const mistakes: Mistake[] = [];
    for (const group of groups) {
      const parts = [...Map.groupBy(group, part).values()];
      for (const [n, left] of parts.entries())
        for (const right of parts.slice(n + 1)) mistakes.push(closest(left, right, byPair));
    }
    return mistakes.sort((x, y) => y.pairs - x.pairs || x.a.line - y.a.line).slice(0, most);
  };
  return {
    joined: between(Map.groupBy(known, clusterOf).values(), (row) => row.gold!),
    torn: between(Map.groupBy(known, (row) => row.gold!).values(), clusterOf),
  };
}

function closest(left: readonly GoldRow[], right: readonly GoldRow[], byPair: ReadonlyMap<string, Compared>): Mistake {
  let best: Mistake = { pairs: left.length * right.length, a: left[0]!, b: right[0]!, compared: undefined };
  for (const a of left) {
    for (const b of right) {
      const compared = byPair.get([idOf(a), idOf(b)].sort().join(" "));
      if (compared && compared.comparison.weight > (best.compared?.comparison.weight ?? Number.NEGATIVE_INFINITY))
        best = { ...best, a, b, compared };
    }
  }
  return best;
}

import type { Link } from "./decide.ts";
import type { Compared } from "./pairs.ts";
import type { Known } from "./party.ts";
import { verdictOf } from "./verdict.ts";

/** A pair of leads that a person is asked about. */
export interface Question {
  tenant: string;
  /** The smaller id first. */
  low: string;
  high: string;
  /** In doubt; or the same, but one of them is one lead with another that the other is kept apart from. */
  ground: "doubt" | "conflict";
  /** In bits, to two digits. */
  weight: number;
  evidence: { level: string; weight: number }[];
}

/** What a batch leaves to be asked, in the order of the pairs. Of leads that are one by now there is nothing to ask. */
export function questions(
  compared: readonly Compared[],
  tied: { roots: ReadonlyMap<string, string>; refused: readonly (Link & { pair: Compared })[] },
  nodes: ReadonlyMap<string, Known>,
): Question[] {
  const rootOf = (leadId: string) => {
    const root = tied.roots.get(leadId) ?? nodes.get(leadId)!.mergedInto ?? leadId;
    return tied.roots.get(root) ?? root;
  };
  const ask = ({ a, b, comparison }: Compared, ground: Question["ground"]): Question => ({
    tenant: nodes.get(a)!.tenant,
    low: a,
    high: b,
    ground,
    weight: rounded(comparison.weight),
    evidence: comparison.evidence.map(({ level, weight }) => ({ level, weight: rounded(weight) })),
  });
  return [
    ...compared.filter(({ comparison }) => verdictOf(comparison) === "doubt").map((pair) => ask(pair, "doubt")),
    ...tied.refused.map(({ pair }) => ask(pair, "conflict")),
  ]
    .filter(({ low, high }) => rootOf(low) !== rootOf(high))
    .sort((x, y) => (`${x.tenant} ${x.low} ${x.high}` < `${y.tenant} ${y.low} ${y.high}` ? -1 : 1));
}

const rounded = (bits: number) => Math.round(bits * 100) / 100;

import { createHash } from "node:crypto";
import type { Lead, Score } from "../leads/lead.ts";
import { type Fired, type RulesFile, type RulesSettings, type RuleText, readFile } from "./read-rules.ts";
import { Reader, RulesError } from "./reader.ts";
import { subjectOf } from "./subject.ts";

export interface Rules {
  /**
   * Additive rules in order, then the product of the multipliers, truncated, clamped to min_score and max_score.
   * Costs 3.4 us for the 36 entries of config/scoring-rules.yml and a site of 8 technologies; 40 nested rules must stay
   * below 10 us: `npx mocha test/unit/score/compile.test.ts`.
   */
  score(lead: Lead): Score;
  /** Hash of what decides a score: names, conditions, points and settings; not descriptions, comments or layout. */
  version: string;
  settings: Readonly<RulesSettings>;
  texts: readonly RuleText[];
}

/**
 * Compiles the rules file (docs/scoring.md describes its language) to one function. Throws a {@link RulesError} that
 * lists every fault with its line and rule. `fileName` is for the faults alone.
 */
export function compileRules(yamlText: string, fileName: string): Rules {
  const reader = new Reader(yamlText);
  // What cannot be parsed is not read further: its faults would only follow from the first.
  const file = reader.faults.length === 0 ? readFile(reader) : undefined;
  if (!file || reader.faults.length > 0) throw new RulesError(fileName, reader.faults);
  const version = createHash("sha256")
    .update(JSON.stringify(normalForm(file)))
    .digest("hex")
    .slice(0, 16);
  return {
    version,
    settings: Object.freeze(file.settings),
    texts: [...file.rules, ...file.multipliers].map((rule) => rule.text),
    score: scorer(file, version),
  };
}

function scorer({ settings, rules, multipliers }: RulesFile, version: string): Rules["score"] {
  return (lead) => {
    const subject = subjectOf(lead);
    const fired: Fired[] = [];
    let points = settings.base_score;
    for (const rule of rules) {
      if (!rule.test(subject)) continue;
      points += rule.by;
      fired.push(rule.fired);
    }
    let product = 1;
    for (const multiplier of multipliers) {
      if (!multiplier.test(subject)) continue;
      product *= multiplier.by;
      fired.push(multiplier.fired);
    }
    return { value: clamp(truncate(points * product), settings), version, fired };
  };
}

// 100 * 0.57 is 56.99999999999999 in binary: what decimal arithmetic calls 57 must not be truncated to 56.
function truncate(points: number): number {
  return Math.trunc(points + Math.sign(points) * 1e-9) + 0;
}

function clamp(points: number, { min_score: min, max_score: max }: RulesSettings): number {
  return Math.min(max, Math.max(min, points));
}

function normalForm({ settings, rules, multipliers }: RulesFile): unknown {
  return [settings, rules.map((rule) => rule.normal), multipliers.map((multiplier) => multiplier.normal)];
}

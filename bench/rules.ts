import type { Lead } from "../services/leads/lead.ts";
import { compileRules } from "../services/score/compile.ts";
import { aLead } from "./load.ts";
import { atMost, type Bench } from "./row.ts";

/** Rules of three conditions each, none of which holds: all of them are looked at. */
const rules = Array.from(
  { length: 40 },
  (_, n) =>
    `  - { name: r${n}, condition: { any_of: [{ tech_stack_version_lt: { technology: T${n}, version: "3" } }, { category_contains_any: [c${n}, d${n}] }, { page_count_lt: ${n} }] }, score: 1 }`,
);
const rounds = 20_000;

/** What forty rules cost a lead. */
export const run: Bench = async () => {
  const { score } = compileRules(`rules:\n${rules.join("\n")}`, "rules.yml");
  const technologies = Array.from({ length: 8 }, (_, n) => ({ name: `Technology ${n}`, version: "1.2.3" }));
  const lead: Lead = { ...aLead(1), facts: { site: { status: "ok", technologies, pageCount: 9 } } };
  const runOnce = () => {
    const since = performance.now();
    for (let n = 0; n < rounds; n++) score(lead);
    return ((performance.now() - since) * 1_000) / rounds;
  };
  runOnce();
  // The best of several: other work on the machine makes it slower, nothing makes it faster.
  return [atMost("rules", "40 rules, a lead", "us", Math.min(...Array.from({ length: 5 }, runOnce)), 10)];
};

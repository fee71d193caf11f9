import type { Node } from "yaml";
import type { Score } from "../leads/lead.ts";
import type { Test } from "./conditions.ts";
import { readCondition } from "./read-condition.ts";
import type { Entry, Reader } from "./reader.ts";

export interface RulesSettings {
  base_score: number;
  min_score: number;
  max_score: number;
  /** From here on a lead counts as a high score. */
  high_score_threshold: number;
}

export const settingDefaults: Readonly<RulesSettings> = {
  base_score: 50,
  min_score: 0,
  max_score: 100,
  high_score_threshold: 75,
};

/** A rule or a multiplier, as the file has it. */
export interface RuleText {
  name: string;
  description: string;
  points?: number;
  multiplier?: number;
}

export type Fired = Score["fired"][number];
export interface CompiledRule {
  test: Test;
  /** Shared by all scores it fires in. */
  fired: Fired;
  by: number;
  /** What the version is the hash of. */
  normal: unknown;
  text: RuleText;
}
export interface RulesFile {
  settings: RulesSettings;
  rules: CompiledRule[];
  multipliers: CompiledRule[];
}

/** Reads the whole file; faults are left with the reader. Undefined when it is no mapping at all. */
export function readFile(reader: Reader): RulesFile | undefined {
  const entries = reader.map(reader.root, "the file", 1);
  if (!entries) return undefined;
  const file: RulesFile = { settings: { ...settingDefaults }, rules: [], multipliers: [] };
  const names = new Map<string, number>();
  for (const { key, value, line } of entries) {
    if (key === "settings") readSettings(reader, value, line, file.settings);
    else if (key === "rules") file.rules = readRules(reader, value, line, names, rule);
    else if (key === "multipliers") file.multipliers = readRules(reader, value, line, names, multiplier);
    else reader.fault(line, `unknown key "${key}" (settings, rules, multipliers)`);
  }
  if (!entries.some(({ key }) => key === "rules")) reader.fault(1, '"rules" is missing');
  return file;
}

function readSettings(reader: Reader, node: Node | undefined, line: number, settings: RulesSettings): void {
  for (const entry of reader.map(node, "settings", line) ?? []) {
    const name = Object.keys(settingDefaults).find((key) => key === entry.key) as keyof RulesSettings | undefined;
    if (!name) {
      reader.fault(entry.line, `unknown setting "${entry.key}" (${Object.keys(settingDefaults).join(", ")})`);
      continue;
    }
    const value = reader.value("number", entry.value, name, entry.line);
    if (value === undefined) continue;
    // A score is a small whole number in the record.
    if (!Number.isInteger(value) || Math.abs(value) > 30_000)
      reader.fault(entry.line, `${name} must be a whole number from -30000 to 30000, not ${value}`);
    else settings[name] = value;
  }
  if (settings.min_score > settings.max_score)
    reader.fault(line, `min_score ${settings.min_score} is above max_score ${settings.max_score}`);
}

/** What differs between a rule and a multiplier. */
interface RuleKind {
  what: "rule" | "multiplier";
  amount: "score" | "multiplier";
  check(amount: number): string | undefined;
  effect(amount: number): { points: number } | { multiplier: number };
}
const rule: RuleKind = {
  what: "rule",
  amount: "score",
  check: () => undefined,
  effect: (points) => ({ points }),
};
const multiplier: RuleKind = {
  what: "multiplier",
  amount: "multiplier",
  check: (factor) => (factor < 0 ? "multiplier must not be negative" : undefined),
  effect: (factor) => ({ multiplier: factor }),
};

function readRules(
  reader: Reader,
  node: Node | undefined,
  line: number,
  names: Map<string, number>,
  kind: RuleKind,
): CompiledRule[] {
  const items = reader.list(node, `${kind.what}s`, line) ?? [];
  return items.flatMap((item) => {
    reader.rule = undefined;
    const compiled = readRule(reader, item, reader.line(item, line), names, kind);
    reader.rule = undefined;
    return compiled ?? [];
  });
}

function readRule(
  reader: Reader,
  node: Node,
  line: number,
  names: Map<string, number>,
  { what, amount, check, effect }: RuleKind,
): CompiledRule | undefined {
  const entries = reader.map(node, `a ${what}`, line);
  if (!entries) return undefined;
  const at = (key: string): Entry => entries.find((entry) => entry.key === key) ?? { key, value: undefined, line };
  const name = reader.value("text", at("name").value, "name", at("name").line);
  reader.rule = `${what} "${name ?? "?"}"`;
  for (const { key, line: where } of entries) {
    if (!["name", "description", "condition", amount].includes(key))
      reader.fault(where, `unknown key "${key}" (name, description, condition, ${amount})`);
  }
  if (name !== undefined) {
    const first = names.get(name);
    if (first !== undefined) reader.fault(at("name").line, `the name stands already in line ${first}`);
    else names.set(name, at("name").line);
  }
  const described = at("description");
  const description = described.value ? reader.value("text", described.value, "description", described.line) : "";
  const condition = readCondition(reader, at("condition").value, "condition", at("condition").line);
  const by = reader.value("number", at(amount).value, amount, at(amount).line);
  const refused = by === undefined ? undefined : check(by);
  if (refused !== undefined) reader.fault(at(amount).line, refused);
  if (name === undefined || description === undefined || !condition || by === undefined) return undefined;
  return {
    test: condition.test,
    by,
    fired: Object.freeze({ name, ...effect(by) }),
    normal: [name, by, condition.normal],
    text: { name, description, ...effect(by) },
  };
}

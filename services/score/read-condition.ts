import type { Node } from "yaml";
import { conditions, type Test } from "./conditions.ts";
import type { Entry, Reader } from "./reader.ts";

export interface CompiledCondition {
  test: Test;
  /** For the version: keys in alphabetical order, since they are ANDed. */
  normal: unknown;
}
const groups = {
  all_of:
    (tests: Test[]): Test =>
    (subject) =>
      tests.every((test) => test(subject)),
  any_of:
    (tests: Test[]): Test =>
    (subject) =>
      tests.some((test) => test(subject)),
  none_of:
    (tests: Test[]): Test =>
    (subject) =>
      !tests.some((test) => test(subject)),
} as const;

/** A condition: its keys are ANDed. */
export function readCondition(
  reader: Reader,
  node: Node | undefined,
  what: string,
  line: number,
): CompiledCondition | undefined {
  const entries = reader.map(node, what, line);
  if (!entries) return undefined;
  if (entries.length === 0) return reader.fault(line, `${what} must not be empty`);
  const parts = entries.map((entry) => ({ key: entry.key, part: readPart(reader, entry) }));
  if (!parts.every((entry): entry is { key: string; part: CompiledCondition } => entry.part !== undefined))
    return undefined;
  const sorted = parts.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const tests = parts.map(({ part }) => part.test);
  return {
    test: tests.length === 1 ? tests[0]! : groups.all_of(tests),
    normal: sorted.map(({ key, part }) => [key, part.normal]),
  };
}

/** One key of a condition. */
function readPart(reader: Reader, { key, value, line }: Entry): CompiledCondition | undefined {
  if (Object.hasOwn(groups, key)) return readGroup(reader, key as keyof typeof groups, value, line);
  const condition = Object.hasOwn(conditions, key) ? conditions[key]! : undefined;
  if (!condition) return reader.fault(line, `unknown condition "${key}" (docs/scoring.md lists them)`);
  const argument = reader.value(condition.argument, value, key, line);
  if (argument === undefined) return undefined;
  // The type of the argument and the condition that takes it belong together by the table's own type.
  return { test: condition.compile(argument as never), normal: argument };
}

function readGroup(
  reader: Reader,
  key: keyof typeof groups,
  value: Node | undefined,
  line: number,
): CompiledCondition | undefined {
  const items = reader.list(value, key, line);
  if (!items) return undefined;
  if (items.length === 0) return reader.fault(line, `${key} must not be empty`);
  const members = items.map((item) => readCondition(reader, item, `a condition of ${key}`, reader.line(item, line)));
  if (!members.every((member) => member !== undefined)) return undefined;
  return { test: groups[key](members.map((member) => member.test)), normal: members.map((member) => member.normal) };
}

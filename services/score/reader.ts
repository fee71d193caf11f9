import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import type { Arguments, ArgumentType } from "./conditions.ts";

export interface RulesFault {
  /** From 1. */
  line: number;
  /** The rule or multiplier it stands in. */
  rule?: string;
  message: string;
}

/** The rules file is wrong. The message names the file and, for every fault, its line and rule. */
export class RulesError extends Error {
  readonly faults: readonly RulesFault[];
  constructor(fileName: string, faults: readonly RulesFault[]) {
    const lines = faults.map(
      (fault) => `${fileName}:${fault.line}: ${fault.rule ? `${fault.rule}: ` : ""}${fault.message}`,
    );
    super(lines.join("\n"));
    this.name = "RulesError";
    this.faults = faults;
  }
}

export interface Entry {
  key: string;
  /** Undefined where nothing stands after the colon. */
  value: Node | undefined;
  line: number;
}

/**
 * Reads typed values out of a YAML document and gathers every fault with its line. A read that fails answers
 * undefined and goes on, so that one load names all that is wrong.
 */
export class Reader {
  readonly faults: RulesFault[] = [];
  /** The rule that is being read, for the faults. */
  rule: string | undefined;
  readonly #lines = new LineCounter();
  readonly root: Node | undefined;

  constructor(text: string) {
    const document = parseDocument(text, { lineCounter: this.#lines, version: "1.2", uniqueKeys: true });
    for (const { message, pos } of [...document.errors, ...document.warnings])
      this.faults.push({ line: this.#lines.linePos(pos[0]).line, message: message.split("\n", 1)[0]! });
    this.root = document.contents ?? undefined;
  }

  fault(line: number, message: string): undefined {
    this.faults.push({ line, ...(this.rule !== undefined && { rule: this.rule }), message });
    return undefined;
  }

  line(node: Node | undefined, otherwise = 1): number {
    return node?.range ? this.#lines.linePos(node.range[0]).line : otherwise;
  }

  /** The entries of a mapping, in their order. */
  map(node: Node | undefined, what: string, line: number): Entry[] | undefined {
    if (!isMap(node)) return this.fault(this.line(node, line), `${what} must be a mapping, not ${describe(node)}`);
    return (node as YAMLMap<Node, Node | null>).items.flatMap(({ key, value }) => {
      const at = this.line(key, line);
      if (!isScalar(key) || typeof key.value !== "string") {
        this.fault(at, `a key of ${what} must be a word, not ${describe(key)}`);
        return [];
      }
      return [{ key: key.value, value: isEmpty(value) ? undefined : value!, line: at }];
    });
  }

  list(node: Node | undefined, what: string, line: number): Node[] | undefined {
    if (!isSeq(node)) return this.fault(this.line(node, line), `${what} must be a list, not ${describe(node)}`);
    return node.items as Node[];
  }

  /** One value of this type; `what` is the name it goes by in a fault. */
  value<T extends ArgumentType>(type: T, node: Node | undefined, what: string, line: number): Arguments[T] | undefined {
    return this.#read[type](node, what, this.line(node, line));
  }

  readonly #read: {
    [T in ArgumentType]: (node: Node | undefined, what: string, line: number) => Arguments[T] | undefined;
  } = {
    boolean: (node: Node | undefined, what: string, line: number) =>
      isScalar(node) && typeof node.value === "boolean" ? node.value : this.#wrong(line, what, "true or false", node),

    number: (node: Node | undefined, what: string, line: number) =>
      isScalar(node) && typeof node.value === "number" && Number.isFinite(node.value)
        ? node.value
        : this.#wrong(line, what, "a number", node),

    text: (node: Node | undefined, what: string, line: number) =>
      isScalar(node) && typeof node.value === "string" && node.value.trim() !== ""
        ? node.value.trim()
        : this.#wrong(line, what, "a text", node),

    texts: (node: Node | undefined, what: string, line: number) => this.#each(node, what, line, this.#read.text),

    places: (node: Node | undefined, what: string, line: number) =>
      this.#each(node, what, line, (item, name, at) => digits(item) ?? this.#read.text(item, name, at)),

    range: (node: Node | undefined, what: string, line: number) => {
      const parts = this.#parts(node, what, line, ["min", "max"]);
      if (!parts) return undefined;
      const min = this.value("number", parts.min!.value, `${what}.min`, parts.min!.line);
      const max = this.value("number", parts.max!.value, `${what}.max`, parts.max!.line);
      if (min === undefined || max === undefined) return undefined;
      return min <= max ? { min, max } : this.fault(line, `${what}: min ${min} is above max ${max}`);
    },

    technologyVersion: (node: Node | undefined, what: string, line: number) => {
      const parts = this.#parts(node, what, line, ["technology", "version"]);
      if (!parts) return undefined;
      const technology = this.value("text", parts.technology!.value, `${what}.technology`, parts.technology!.line);
      const version = this.#version(parts.version!.value, `${what}.version`, parts.version!.line);
      return technology === undefined || version === undefined ? undefined : { technology, version };
    },
  };

  #each(
    node: Node | undefined,
    what: string,
    line: number,
    read: (item: Node, what: string, line: number) => string | undefined,
  ): string[] | undefined {
    const items = this.list(node, what, line);
    if (!items) return undefined;
    if (items.length === 0) return this.fault(line, `${what} must not be empty`);
    const texts = items.map((item) => read(item, `an entry of ${what}`, this.line(item, line)));
    return texts.every((text) => text !== undefined) ? texts : undefined;
  }

  #parts(node: Node | undefined, what: string, line: number, names: string[]): Record<string, Entry> | undefined {
    const entries = this.map(node, what, line);
    if (!entries) return undefined;
    const found = Object.fromEntries(entries.map((entry) => [entry.key, entry]));
    const unknown = entries.filter(({ key }) => !names.includes(key));
    const missing = names.filter((name) => !Object.hasOwn(found, name));
    for (const entry of unknown) this.fault(entry.line, `${what}: unknown key "${entry.key}" (${names.join(", ")})`);
    for (const name of missing) this.fault(line, `${what}: "${name}" is missing`);
    return unknown.length + missing.length === 0 ? found : undefined;
  }

  // A version written without quotes is a number to YAML, and 3.10 would become 3.1: its own spelling counts.
  #version(node: Node | undefined, what: string, line: number): string | undefined {
    const text = isScalar(node) ? (typeof node.value === "number" ? node.source : node.value) : undefined;
    return typeof text === "string" && /^\d+(\.\d+)*$/.test(text.trim())
      ? text.trim()
      : this.#wrong(line, what, 'a version like "3.4.1"', node);
  }

  #wrong(line: number, what: string, wanted: string, node: Node | undefined): undefined {
    return this.fault(line, `${what} must be ${wanted}, not ${describe(node)}`);
  }
}

function digits(node: Node): string | undefined {
  return isScalar(node) && typeof node.value === "number" && /^\d+$/.test(node.source ?? "") ? node.source : undefined;
}

function isEmpty(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

function describe(node: unknown): string {
  if (isEmpty(node)) return "nothing";
  if (isAlias(node)) return "an alias";
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  const value = (node as { value: unknown }).value;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

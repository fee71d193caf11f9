import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** A file of ours, as the tidy test sees it. Paths are from the root, with slashes. */
export interface SourceFile {
  path: string;
  text: string;
  /** The text with comments taken out. */
  code: string;
  lines: number;
  /** Every import: a path of ours, or the name of a package or of a builtin (`node:fs`). */
  imports: { target: string; ours: boolean; typeOnly: boolean }[];
}

const importPattern =
  /(?:^|[;\n])\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]+?\s+from\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/g;

/** All TypeScript and JavaScript of the project. */
export function sourceFiles(): SourceFile[] {
  const folders = "{config,mixins,services,bin,bench,test}";
  const found = [...globSync(`${folders}/**/*.{ts,mjs}`, { cwd: root }), ...globSync("*.ts", { cwd: root })];
  return found
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !path.startsWith("bench/peers/"))
    .sort()
    .map(read);
}

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/[^\n]*/g, "$1");
  const imports = [...code.matchAll(importPattern)].map(([, typeOnly, from, dynamic]) => {
    const target = (from ?? dynamic)!;
    const ours = target.startsWith(".");
    return { target: ours ? normalize(join(dirname(path), target)) : target, ours, typeOnly: typeOnly !== undefined };
  });
  return { path, text, code, lines: text.split("\n").length - 1, imports };
}

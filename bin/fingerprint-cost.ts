import { type Context, createContext, Script } from "node:vm";

/**
 * The worst time, in milliseconds, that a regular expression takes on texts made to let it backtrack; more than `mostMs`
 * when it takes longer. Expressions with at most one open repetition cannot do worse than quadratically, and are not measured.
 */
export function costliest(source: string, characters: number, mostMs: number): number {
  if ((source.match(/[^\\]([*+]|,\})/g) ?? []).length < 2) return 0;
  const context = createContext({ pattern: new RegExp(source, "i"), text: "" });
  let worst = 0;
  for (const text of hostileTexts(source, characters)) {
    context["text"] = text;
    let took = time(context, mostMs);
    // A busy machine is no slow pattern: only what is slow every time is.
    for (let again = 0; again < 4 && took > mostMs; again++) took = Math.min(took, time(context, mostMs));
    worst = Math.max(worst, took);
    if (worst > mostMs) return worst;
  }
  return worst;
}

function time(context: Context, mostMs: number): number {
  const start = performance.now();
  try {
    exec.runInContext(context, { timeout: Math.ceil(mostMs * 4) });
  } catch {
    return mostMs * 4;
  }
  return performance.now() - start;
}
const exec = new Script("pattern.exec(text); 0");

/** Texts of this length made from the expression itself: its pieces, and runs of what its repetitions eat. */
export function* hostileTexts(source: string, characters: number): Generator<string> {
  const fill = (unit: string) => unit.repeat(Math.ceil(characters / unit.length)).slice(0, characters);
  const pieces = source
    .replace(/\\[dD]/g, "1")
    .replace(/\\[sS]/g, " ")
    .replace(/\\[wW]/g, "a")
    .replace(/\\[bB]/g, "")
    .replace(/\[[^\]]*\]/g, "a")
    .split(/[()|*+?{}^$]/)
    .map((piece) => piece.replace(/\\(.)/g, "$1"))
    .filter((piece) => piece.length > 0);
  const runs = ["a", " ", "1", ".", "/"];
  for (const run of runs) yield fill(run);
  let before = "";
  for (const piece of pieces) {
    before += piece;
    yield fill(piece);
    yield fill(before);
    for (const run of runs) yield before + fill(run).slice(before.length);
  }
}

/** What tests opened and have to close again: a run that ends with something open fails and says who opened it. */
const open = new Map<symbol, string>();

/** Notes that something was opened here; call what it returns when it is closed. */
export function trackLeak(what: string): () => void {
  const key = Symbol(what);
  const at =
    new Error(what).stack
      ?.split("\n")
      .slice(3)
      .find((line) => line.includes(".test.ts"))
      ?.trim() ?? "";
  open.set(key, `${what}, opened ${at}`);
  return () => {
    open.delete(key);
  };
}

/** Throws when something is still open. */
export function assertNoLeaks(): void {
  if (open.size > 0) throw new Error(`left open by tests:\n  ${[...open.values()].join("\n  ")}`);
}

import { setTimeout as delay } from "node:timers/promises";

/**
 * Waits until `check` gives something true and returns it; looks again every `everyMs`. Throws after `withinMs` with
 * the last error or value, so that a failed test says what it saw.
 */
export async function eventually<T>(
  what: string,
  check: () => Promise<T> | T,
  { withinMs = 15_000, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const saw = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`${what}: not within ${withinMs} ms; last seen: ${saw}`, { cause: last });
    }
    await delay(everyMs);
  }
}

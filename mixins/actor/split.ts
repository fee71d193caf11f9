/**
 * Runs a set-based step over a batch; when it throws, over its halves, down to the culprit, so that one bad lead in 250
 * does not touch the other 249. One culprit costs about 2 log2(n) further runs; all of them bad costs 2n.
 * `run` must be safe to repeat. Errors that `isFatal` (an outage, an abort) are thrown at once.
 * @returns for each item its result, or the error it failed with alone
 */
export async function bisect<T, R>(
  items: readonly T[],
  run: (items: T[]) => Promise<readonly R[]>,
  isFatal: (error: unknown) => boolean,
): Promise<({ result: R } | { error: Error })[]> {
  try {
    const results = await run([...items]);
    return results.map((result) => ({ result }));
  } catch (error) {
    if (isFatal(error)) throw error;
    if (items.length <= 1)
      return items.map(() => ({ error: error instanceof Error ? error : new Error(String(error)) }));
    const middle = items.length >> 1;
    const left = await bisect(items.slice(0, middle), run, isFatal);
    return left.concat(await bisect(items.slice(middle), run, isFatal));
  }
}

/** Runs `work` over the items, `atOnce` of them at a time, in order. One that fails stops none of the others. */
export async function inTurns<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results = new Array<PromiseSettledResult<R>>(items.length);
  let next = 0;
  const run = async () => {
    for (let n = next++; n < items.length; n = next++) {
      [results[n]] = await Promise.allSettled([work(items[n]!, n)]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, run));
  return results;
}

/** A count that has stood still for so long moves no more, ms. */
export const stalledMs = 120_000;

/** Answers a function that is told a count again and again, and throws when it has stood still for {@link stalledMs}. */
export function stall(what: string, now: () => number = () => performance.now()): (count: number) => void {
  let [last, since] = [Number.NaN, now()];
  return (count) => {
    if (count !== last) [last, since] = [count, now()];
    else if (now() - since >= stalledMs) throw new Error(`${what}: ${count}, and no more for ${stalledMs / 1_000} s`);
  };
}

/** How far back a rate looks, ms. */
const windowMs = 30_000;
/** Points closer together than this say no more than one, ms. */
const spacingMs = 500;

/** Rate of a count that only grows, over the last half minute, from what it was whenever somebody looked. */
export class RecentRate {
  readonly #points: { at: number; total: number }[] = [];

  /** @param now any clock, ms */
  at(now: number, total: number): number {
    const points = this.#points;
    while (points.length > 1 && points[1]!.at <= now - windowMs) points.shift();
    const first = points[0];
    const last = points.at(-1);
    if (!last || now - last.at >= spacingMs) points.push({ at: now, total });
    return first && now > first.at ? ((total - first.total) / (now - first.at)) * 1_000 : 0;
  }
}

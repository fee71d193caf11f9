/**
 * Revisions for the tellings of one upload, in the order of its rows. Rows are read faster than a millisecond passes,
 * and the record keeps the first of two tellings with equal revisions: a lead told again gets a later one. Remembers
 * only what a present moment could still meet.
 */
export class Revisions {
  readonly #last = new Map<string, number>();
  #now = 0;

  /** `now` (ms since 1970), or one more than the lead's revision before where that is not past. */
  next(leadId: string, now: number): number {
    if (now !== this.#now) {
      this.#now = now;
      for (const [id, revision] of this.#last) if (revision < now) this.#last.delete(id);
    }
    const revision = Math.max(now, (this.#last.get(leadId) ?? 0) + 1);
    this.#last.set(leadId, revision);
    return revision;
  }
}

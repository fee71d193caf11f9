/**
 * Deficit round robin (Shreedhar & Varghese, 1995) over tenants: each round gives every tenant that has a backlog the
 * same number of leads, whatever the size of its envelopes; what it could not use because its next envelope was too
 * large it keeps for the next round.
 */
export class Rounds {
  readonly #tenants = new Map<string, { deficit: number; leadsPerEnvelope: number }>();

  /**
   * Shares `leads` among the tenants that have a backlog.
   * @returns how many envelopes each may move in this round
   */
  share(backlog: ReadonlyMap<string, number>, leads: number): Map<string, number> {
    for (const tenant of this.#tenants.keys()) if (!backlog.has(tenant)) this.#tenants.delete(tenant);
    const quantum = leads / Math.max(1, backlog.size);
    const shares = new Map<string, number>();
    for (const [tenant, envelopes] of backlog) {
      const state = this.#tenants.get(tenant) ?? { deficit: 0, leadsPerEnvelope: 1 };
      this.#tenants.set(tenant, state);
      // A tenant that is held up elsewhere must not save up a burst.
      state.deficit = Math.min(state.deficit + quantum, 2 * quantum + state.leadsPerEnvelope);
      const share = Math.min(envelopes, Math.floor(state.deficit / state.leadsPerEnvelope));
      if (share > 0) shares.set(tenant, share);
    }
    return shares;
  }

  /** Books what a tenant moved. */
  moved(tenant: string, envelopes: number, leads: number): void {
    const state = this.#tenants.get(tenant);
    if (!state || envelopes === 0) return;
    state.deficit -= leads;
    state.leadsPerEnvelope += (leads / envelopes - state.leadsPerEnvelope) * 0.3;
  }
}

/** How deep the first mailbox is kept, in seconds of work: a tenant that comes later waits that long before its turn. */
const depthSeconds = 0.5;
/** Envelopes it holds at the least, for the rate to show. */
const leastDepth = 64;

/**
 * How many envelopes may be moved now.
 * @param depth bulk envelopes in the first mailbox, those in work included
 * @param rate envelopes a second that its stage finishes
 * @param limit envelopes a lane of the mailbox may hold; half of it stays free for others
 */
export function room(depth: number, rate: number, limit: number): number {
  const goal = Math.min(Math.max(leastDepth, rate * depthSeconds), Math.max(1, limit / 2));
  return Math.max(0, Math.floor(goal - depth));
}

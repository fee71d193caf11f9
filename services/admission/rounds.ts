/**
 * Who is let in next. Each round evens out what tenants got lately: usage decays with a time constant of {@link memoryMs},
 * and a round's leads go to those who had least (water-filling), so that a tenant that comes anew is let in at once until
 * it has had as much as the others had in the last seconds; from then on all get the same. Shares are in leads, whatever
 * the size of a tenant's envelopes.
 */

/** How long what a tenant got counts against it. */
const memoryMs = 5_000;
/**
 * What a tenant gets, beside one whose backlog is more than twice its own. With equal shares the smaller import would
 * move at half its speed less what stands before it when it comes; this keeps it above half.
 */
const smallerWeight = 1.25;

interface Tenant {
  /** Leads let in, decayed. */
  usage: number;
  leadsPerEnvelope: number;
}

interface Claim {
  tenant: string;
  /** Envelopes that wait. */
  envelopes: number;
  /** Leads it got lately. */
  usage: number;
  weight: number;
  perEnvelope: number;
}

/** The level to which the least served are filled up, by claims from the least served on. */
function levelOf(claims: readonly Claim[], leads: number): number {
  let [usage, weights, level] = [0, 0, 0];
  for (const [n, claim] of claims.entries()) {
    usage += claim.usage;
    weights += claim.weight;
    level = (usage + leads) / weights;
    const next = claims[n + 1];
    if (next && level <= next.usage / next.weight) break;
  }
  return level;
}

export class Rounds {
  readonly #tenants = new Map<string, Tenant>();
  #decayedAt = 0;

  /**
   * Shares `leads` among the tenants that have a backlog.
   * @param backlog tenant -> envelopes that wait
   * @param now any clock, ms
   * @returns how many envelopes each may move in this round
   */
  share(backlog: ReadonlyMap<string, number>, leads: number, now: number): Map<string, number> {
    this.#decay(now);
    const largest = Math.max(...backlog.values());
    const claims = [...backlog].map(([tenant, envelopes]) => {
      const state = this.#tenant(tenant);
      const weight = envelopes * 2 < largest ? smallerWeight : 1;
      return { tenant, envelopes, usage: state.usage, weight, perEnvelope: state.leadsPerEnvelope };
    });
    claims.sort((a, b) => a.usage / a.weight - b.usage / b.weight);
    const shares = new Map<string, number>();
    // Whoever has less than its share gets all that it has; what it leaves is for the others.
    let open: Claim[] = claims;
    let left = leads;
    for (;;) {
      const level = levelOf(open, left);
      const shareOf = ({ usage, weight, perEnvelope }: Claim) => Math.round((level * weight - usage) / perEnvelope);
      const served = open.filter((claim) => claim.envelopes <= shareOf(claim));
      if (served.length === 0) {
        for (const claim of open) if (shareOf(claim) > 0) shares.set(claim.tenant, shareOf(claim));
        break;
      }
      for (const { tenant, envelopes, perEnvelope } of served) {
        shares.set(tenant, envelopes);
        left -= envelopes * perEnvelope;
      }
      open = open.filter((claim) => !served.includes(claim));
      if (open.length === 0) break;
    }
    // Less than an envelope for each: the least served gets one.
    const first = claims[0];
    if (shares.size === 0 && first) shares.set(first.tenant, 1);
    return shares;
  }

  /** Books what a tenant moved. */
  moved(tenant: string, envelopes: number, leads: number): void {
    if (envelopes === 0) return;
    const state = this.#tenant(tenant);
    state.usage += leads;
    state.leadsPerEnvelope += (leads / envelopes - state.leadsPerEnvelope) * 0.3;
  }

  #tenant(name: string): Tenant {
    const state = this.#tenants.get(name) ?? { usage: 0, leadsPerEnvelope: 50 };
    this.#tenants.set(name, state);
    return state;
  }

  #decay(now: number): void {
    const factor = Math.exp(-Math.max(0, now - this.#decayedAt) / memoryMs);
    this.#decayedAt = now;
    for (const [name, state] of this.#tenants) {
      state.usage *= factor;
      if (state.usage < 1) this.#tenants.delete(name);
    }
  }
}

/** How much bulk work the stages hold, in seconds: a tenant that comes later waits that long before its first lead ends. */
const depthSeconds = 0.5;
/** Envelopes they hold at the least: a batch or two for every stage, or they would wait for each other. */
const leastDepth = 64;

/**
 * How many envelopes may be moved now.
 * @param depth bulk envelopes in all mailboxes, those in work included
 * @param rate envelopes a second that leave the last stage
 * @param limit envelopes a lane of a mailbox may hold; half of it stays free for what comes back from the park
 */
export function room(depth: number, rate: number, limit: number): number {
  const goal = Math.min(Math.max(leastDepth, rate * depthSeconds), Math.max(1, limit / 2));
  return Math.max(0, Math.floor(goal - depth));
}

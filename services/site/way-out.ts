/**
 * Tells a lead's site that is down from our own way out that is down (invariant 5). Pure: the clock is an argument.
 *
 *   up ── distinct domains fail alike, nothing succeeds in between ──> suspect ── control question unanswered ──> down
 *    ^                                                                   |                                         |
 *    └───────────── anything that proves the way, or the control question answered ────────────────────────────────┘
 *
 * A failure alone never settles it: with fewer domains than the threshold it is the site's own, unless the name service
 * does not answer the control question either.
 */

/** `dns`: the name service gave no answer (not: "no such domain"). `network`: no way to the address. */
export type Suspicion = "dns" | "network";

export interface WayOutOptions {
  /** Distinct registrable domains that must fail alike. */
  domains: number;
  /** Failures longer ago are forgotten while the way is up. */
  windowMs: number;
}

export const wayOutDefaults: WayOutOptions = { domains: 5, windowMs: 30_000 };

export type WayOutState = "up" | "suspect" | "down";

export class WayOut {
  readonly #options: WayOutOptions;
  /** domain -> when it last failed so */
  readonly #failures: Record<Suspicion, Map<string, number>> = { dns: new Map(), network: new Map() };
  #down = false;

  constructor(options: WayOutOptions = wayOutDefaults) {
    this.#options = options;
  }

  /** A site answered, refused or reset a connection, or failed at TLS: the way is there. */
  reached(): void {
    this.#down = false;
    this.#failures.dns.clear();
    this.#failures.network.clear();
  }

  /** The name service answered, be it "no such domain". Says nothing about the way to an address. */
  resolved(): void {
    this.#failures.dns.clear();
    if (this.#failures.network.size === 0) this.#down = false;
  }

  failed(kind: Suspicion, domain: string, now: number): WayOutState {
    const failures = this.#failures[kind];
    // Newest last; as many as the threshold needs are enough.
    failures.delete(domain);
    failures.set(domain, now);
    if (failures.size > this.#options.domains) failures.delete(failures.keys().next().value!);
    return this.state(now);
  }

  /** Has nothing succeeded since this domain failed so? */
  isOpen(kind: Suspicion, domain: string): boolean {
    return this.#failures[kind].has(domain);
  }

  /**
   * Nobody answered the control question: what fails alike fails for our sake. A name service that does not even answer
   * for the root zone is down, however few have asked it; a way may be closed to the control's hosts alone.
   */
  controlFailed(kind: Suspicion, now: number): WayOutState {
    if (kind === "dns" || this.state(now) === "suspect") this.#down = true;
    return this.state(now);
  }

  state(now: number): WayOutState {
    if (this.#down) return "down";
    const since = now - this.#options.windowMs;
    const alike = (failures: Map<string, number>) => [...failures.values()].filter((at) => at > since).length;
    return Math.max(alike(this.#failures.dns), alike(this.#failures.network)) >= this.#options.domains
      ? "suspect"
      : "up";
  }
}

/** Error codes (Node's, c-ares', undici's) that may mean our own way out; null for those that are the site's own. */
export function suspicionOf(code: string): Suspicion | null {
  if (
    /^(?:EAI_AGAIN|EAI_FAIL|ESERVFAIL|EREFUSED|ETIMEOUT|ECONNREFUSED_DNS|ECANCELLED|ELOADIPHLPAPI|EDESTRUCTION)$/.test(
      code,
    )
  )
    return "dns";
  if (/^(?:ENETUNREACH|EHOSTUNREACH|ENETDOWN|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/.test(code))
    return "network";
  return null;
}

/** Time constant of the moving average, ms of being busy: idle time moves nothing. */
const memoryMs = 60_000;
/** Less than this says nothing yet, ms of being busy. */
const leastMs = 250;

/**
 * What one instance completes in a second when it is busy (mu of the scaling law). Busy is not "some batch is in work":
 * a stage that waits on others' servers has forty places, and one batch uses one of them; a stage that computes fills
 * the event loop with one. Each stretch of time counts by the share of places that were taken or the share that the
 * event loop worked, whichever is larger. Kept from when it was last busy; null until it ever was.
 */
export class Capacity {
  readonly #places: number;
  #at = 0;
  #activeMs = 0;
  #running = 0;
  /** Decayed. */
  #busyMs = 0;
  #leads = 0;
  /** Not decayed, seconds. */
  totalSeconds = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /**
   * Something changed.
   * @param now any clock, ms
   * @param activeMs what the event loop has worked since the process began, ms
   * @param running batches in work from now on
   * @param leads that were completed
   */
  mark(now: number, activeMs: number, running: number, leads = 0): void {
    if (this.#running > 0 && now > this.#at) {
      const places = Math.min(1, this.#running / this.#places) * (now - this.#at);
      const busyMs = Math.min(now - this.#at, Math.max(places, activeMs - this.#activeMs));
      const kept = Math.exp(-busyMs / memoryMs);
      this.#busyMs = this.#busyMs * kept + busyMs;
      this.#leads *= kept;
      this.totalSeconds += busyMs / 1_000;
    }
    this.#leads += leads;
    this.#at = now;
    this.#activeMs = activeMs;
    this.#running = running;
  }

  /** Leads a second; null until there is enough to tell by. */
  get perSecond(): number | null {
    return this.#busyMs < leastMs || this.#leads === 0 ? null : (this.#leads / this.#busyMs) * 1_000;
  }
}

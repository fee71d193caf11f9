import type { Lane } from "../../config/names.ts";
import type { Delivery } from "./puller.ts";

export interface LaneRules {
  batchLeads: number;
  /** How many leads a bulk batch holds now; asked each time. */
  bulkLeads(): number;
  lingerMs: number;
  /** Bulk batches in work at once. */
  concurrency: number;
  /** Batches in work at once, all in all: more than `concurrency`, so that `live` always finds a place. */
  places: number;
}

/** Of this many batches one at least is bulk, when bulk waits. */
const bulkShare = 10;
/**
 * A bulk batch lingers so many times as long while more is known to be on its way: in a process whose other stages
 * compute, it takes longer than a linger to be read, and a batch of half the size costs the database nearly as much.
 */
const lingerForMore = 5;

/**
 * The buffer of deliveries before the handler, and the rule of which batch is next: `live` first and at once, but
 * every tenth batch is bulk's; a bulk batch waits for `lingerMs` to fill up (longer for what is on its way); of `places` one at least is never
 * bulk's, and none is only live's, or a flood of `live` would never leave one to `bulk`.
 */
export class Lanes {
  readonly #rules: LaneRules;
  readonly #buffers: Record<Lane, { deliveries: Delivery[]; leads: number }> = {
    live: { deliveries: [], leads: 0 },
    bulk: { deliveries: [], leads: 0 },
  };
  #sinceBulk = 0;

  constructor(rules: LaneRules) {
    this.#rules = rules;
  }

  push(lane: Lane, delivery: Delivery): void {
    const buffer = this.#buffers[lane];
    buffer.deliveries.push(delivery);
    buffer.leads += delivery.count;
  }

  /** Empties the buffers; returns what was in them. */
  clear(): Delivery[] {
    return Object.values(this.#buffers).flatMap((buffer) => {
      buffer.leads = 0;
      return buffer.deliveries.splice(0);
    });
  }

  /**
   * The next batch; or how long to wait for one; or null when nothing can start now.
   * @param running batches in work, by lane
   * @param hurry no lingering: the stage drains
   */
  next(
    now: number,
    running: Readonly<Record<Lane, number>>,
    hurry = false,
  ): { lane: Lane; deliveries: Delivery[] } | { waitMs: number } | null {
    const { live, bulk } = this.#buffers;
    const { concurrency, places, bulkLeads, lingerMs } = this.#rules;
    const oldest = bulk.deliveries[0];
    const newest = bulk.deliveries.at(-1);
    const room = running.live + running.bulk < places;
    const bulkRoom = room && running.bulk < concurrency;
    const untilMs = newest?.more ? newest.receivedAt + lingerMs * lingerForMore : (oldest?.receivedAt ?? 0) + lingerMs;
    const bulkWaitMs = !oldest || hurry || bulk.leads >= bulkLeads() ? 0 : untilMs - now;
    const bulkReady = oldest !== undefined && bulkRoom && bulkWaitMs <= 0;
    if (bulkReady && (live.deliveries.length === 0 || this.#sinceBulk >= bulkShare - 1)) {
      this.#sinceBulk = 0;
      return { lane: "bulk", deliveries: this.#take("bulk") };
    }
    if (live.deliveries.length > 0 && room) {
      this.#sinceBulk++;
      return { lane: "live", deliveries: this.#take("live") };
    }
    return oldest && bulkRoom && bulkWaitMs > 0 ? { waitMs: bulkWaitMs } : null;
  }

  /** Whole envelopes up to the batch's leads; always one at least. */
  #take(lane: Lane): Delivery[] {
    const buffer = this.#buffers[lane];
    const most = lane === "bulk" ? this.#rules.bulkLeads() : this.#rules.batchLeads;
    let leads = 0;
    let end = 0;
    while (end < buffer.deliveries.length) {
      const { count } = buffer.deliveries[end]!;
      if (end > 0 && leads + count > most) break;
      leads += count;
      end++;
    }
    buffer.leads -= leads;
    return buffer.deliveries.splice(0, end);
  }
}

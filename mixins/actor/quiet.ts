import { consumerInfo } from "../jetstream.ts";
import { sleep } from "./outage.ts";
import type { WorkerOptions } from "./steps.ts";

/** A request to JetStream each time, of those stages alone whose batches hang on it. */
const lookMs = 1_000;

/**
 * How many leads a bulk batch of a stage holds: more of them while nobody waits. Who sends a live lead sends more, so that it
 * is quiet `quietAfterMs` after the last one. Asked of the lane's consumer: whichever instance had the lead, a process that
 * reads `bulk` alone is told of none. Looks until `signal`.
 */
export class Quiet {
  readonly #o: Pick<WorkerOptions<any>, "nc" | "names" | "settings" | "stage">;
  /** When a live lead was here last, ms since 1970; 0: never. Undefined: not known yet. */
  #liveAt: number | undefined;
  /** Deliveries of live leads so far. */
  #delivered = 0;

  constructor(options: Pick<WorkerOptions<any>, "nc" | "names" | "settings" | "stage">, signal: AbortSignal) {
    this.#o = options;
    const { stage, settings } = options;
    if (settings.lanes !== "live" && this.mostLeads > stage.batchLeads) void this.#watch(signal);
  }

  get mostLeads(): number {
    const { batchLeads, quietBatchLeads } = this.#o.stage;
    return Math.max(batchLeads, quietBatchLeads);
  }

  get bulkLeads(): number {
    const { batchLeads, quietAfterMs } = this.#o.stage;
    const isQuiet = this.#liveAt !== undefined && Date.now() - this.#liveAt >= quietAfterMs;
    return isQuiet ? this.mostLeads : batchLeads;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await sleep(lookMs, signal).catch(() => {});
    }
  }

  /** One that came and went since the last look was delivered; one that is still here is pending, or out. */
  async #look(): Promise<void> {
    const { nc, names, stage } = this.#o;
    const mailbox = names.mailbox(stage.name);
    try {
      const info = await consumerInfo(nc, mailbox.stream, mailbox.consumer("live"));
      const isHere = info.num_pending + info.num_ack_pending > 0;
      const hasBeen = info.delivered.consumer_seq !== this.#delivered;
      this.#delivered = info.delivered.consumer_seq;
      this.#liveAt = isHere || hasBeen ? Date.now() : (this.#liveAt ?? 0);
    } catch {
      // Nobody knows: small batches.
      this.#liveAt = Date.now();
    }
  }
}

import { appendFile } from "node:fs/promises";
import { labelledLeads } from "../../bin/demo/leads.ts";
import { type Client, inARow, type Sample } from "../../test/fault/client.ts";
import type { Promised } from "../../test/fault/load.ts";

/** Between two looks at what is due, ms. */
const tickMs = 10;
/** Those that were accepted last, which a fault looks at to tell that leads are taken in again. */
const keptLive = 1_000;

/**
 * Live leads at a constant rate, whatever becomes of those before (an open model), through a client behind a balancer. Its
 * list of those that were answered 202 goes to a file: a day's is not to be held in memory.
 */
export class SteadyLoad {
  readonly tenant: string;
  readonly client: Client;
  /** Leads a minute. */
  perMinute = 0;
  live: Promised[] = [];
  sent = 0;
  accepted = 0;
  readonly #file: string;
  readonly #leads: ReturnType<typeof labelledLeads>;
  readonly #flying = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #new: Promised[] = [];
  #owed = 0;
  #serial = 0;
  #last = performance.now();

  constructor(client: Client, tenant: string, seed: string, file: string) {
    this.client = client;
    this.tenant = tenant;
    this.#file = file;
    this.#leads = labelledLeads({ count: Number.POSITIVE_INFINITY, seed });
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  #tick(): void {
    const now = performance.now();
    this.#owed += ((now - this.#last) / 60_000) * this.perMinute;
    this.#last = now;
    for (; this.#owed >= 1; this.#owed--) {
      const flight: Promise<void> = this.#send().finally(() => this.#flying.delete(flight));
      this.#flying.add(flight);
    }
  }

  async #send(): Promise<void> {
    const next = this.#next();
    this.sent++;
    const leadId = await this.client.takeIn(next);
    if (leadId === undefined) return;
    const promised = { leadId, at: Date.now() };
    this.accepted++;
    this.#new.push(promised);
    this.live.push(promised);
    if (this.live.length >= 2 * keptLive) this.live = this.live.slice(-keptLive);
  }

  /** What the API refuses, and rightly, is no part of this; whoever comes again under the same id counts once. */
  #next() {
    for (;;) {
      const { lead, label } = this.#leads.next().value!;
      if (label !== "refused") return { ...lead, source: "soak", sourceId: String(this.#serial++) };
    }
  }

  /** Have some been taken in since then? */
  isAnswered(since: number): boolean {
    return this.live.filter(({ at }) => at > since).length >= inARow;
  }

  /** Requests since the last time. */
  takeSamples(): Sample[] {
    return this.client.samples.splice(0);
  }

  /** Leads accepted since the last time, now in the file too. */
  async takeAccepted(): Promise<Promised[]> {
    const taken = this.#new.splice(0);
    if (taken.length > 0) await appendFile(this.#file, taken.map(({ leadId }) => `${leadId}\n`).join(""));
    return taken;
  }

  /** Sends no more, and waits for what is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#flying);
  }
}

import { randomUUID } from "node:crypto";
import type { BulkWriter, Origin } from "../../mixins/accept.ts";
import { maxLeads } from "../../mixins/actor/envelope.ts";
import { complete, type Outcome, type Work, wait } from "../../mixins/actor/outcome.ts";
import type { Erased } from "../../mixins/erased.ts";
import type { Databases } from "../../mixins/knex.ts";
import { outcomeOf } from "../../mixins/provider.ts";
import { marksOf } from "../intake/marks.ts";
import type { Lead } from "../leads/lead.ts";
import { keepRaw } from "../leads/raw.sql.ts";
import { leadsOf } from "./leads-of.ts";
import { advance, claim, release } from "./source.sql.ts";
import type { ListingPage, WorkItem } from "./work.ts";

export interface WorkerOptions {
  databases: Databases;
  /** A page of a provider's list, from `cursor` on; null is its beginning. */
  page(item: WorkItem, cursor: string | null): Promise<ListingPage>;
  /** Who was erased lately. */
  erased(): Promise<Erased>;
  /** Is there room in the intake? */
  hasRoom(): Promise<boolean>;
  /** A writer into the intake; it waits a fraction of a lease for one that is full. */
  bulk(origin: Origin): BulkWriter<Lead>;
  /** How long an item stays with an instance that says nothing more, ms; a page takes a fraction of it. */
  leaseMs: number;
  /** How long what was told of a listing is kept as it came; 0: not at all. */
  rawDays: number;
  /** A list that cannot be reached, or a full intake, is looked at again after this, ms. */
  patienceMs: number;
}

/**
 * Works items off: page by page, each read, normalised, accepted, and only then noted as done. A page may cost money: none
 * is asked for while the intake is full, and one for which there was no room any more when it came waits in hand.
 */
export class SourceWorker {
  readonly #options: WorkerOptions;
  /** The instance drains: no further page is begun. */
  stopping = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Takes an item as far as it goes. An outage is thrown; what concerns this item alone makes it wait, and burns no try. */
  async workOff(work: Work<WorkItem>): Promise<Outcome<WorkItem>> {
    const { databases, leaseMs, patienceMs } = this.#options;
    const item = work.lead;
    const knex = databases.of(item.tenant);
    const holder = randomUUID();
    const claimed = await claim(knex, item, holder, leaseMs);
    if (claimed.kind === "over") return complete(item, "done before");
    if (claimed.kind === "leased") return wait(Math.max(claimed.until, Date.now()) + 100, "another instance has it");
    try {
      for (let { cursor } = claimed; ; ) {
        if (!(await this.#options.hasRoom())) return wait(Date.now() + patienceMs, "the intake is full");
        const page = await this.#options.page(item, cursor);
        const renew = async () => (await claim(knex, item, holder, leaseMs)).kind === "claimed";
        const done = await this.#accept(work, page, renew);
        if (!done || !(await advance(knex, item, holder, { cursor: page.cursor, ...done }, leaseMs)))
          return wait(Date.now() + leaseMs, "the lease was lost");
        if (page.cursor === null) return complete(item, "done");
        cursor = page.cursor;
        if (this.stopping) return wait(Date.now() + 1_000, "this instance stops");
      }
    } catch (error) {
      // A provider that is to be asked later, or not to be paid for: the item comes again, and goes on where it was.
      const outcome = outcomeOf(error, item);
      if (outcome) return outcome;
      // Across nodes an error keeps its type alone.
      const { type, message } = error as { type?: string; message: string };
      if (type === "LISTING_UNREACHABLE" || type === "MAILBOX_FULL") return wait(Date.now() + patienceMs, message);
      throw error;
    } finally {
      // Not to be waited for till the lease runs out. With the database away it does run out.
      await release(knex, item, holder).catch(() => {});
    }
  }

  /** Accepts what belongs to the item. Resolves when JetStream has it all; undefined: the lease was lost meanwhile. */
  async #accept(work: Work<WorkItem>, page: ListingPage, renew: () => Promise<boolean>) {
    const { lead: item } = work;
    const { databases, rawDays } = this.#options;
    const erased = await this.#options.erased();
    const isErased = (lead: Lead) => erased.hasAny(lead.tenant, () => marksOf(lead));
    const { leads, raw, refused } = leadsOf(item, page, Date.now(), isErased);
    if (rawDays > 0) await keepRaw(databases.of(item.tenant), raw);
    let accepted = 0;
    // By as many as an envelope holds: what was stored before it is not told again with what has to wait.
    for (let at = 0; at < leads.length; at += maxLeads) {
      const stored = await this.#store(work, leads.slice(at, at + maxLeads), isErased, renew);
      if (stored === undefined) return undefined;
      accepted += stored;
    }
    const unaccepted = refused + page.unreadable + leads.length - accepted;
    return { listings: page.rows.length + page.unreadable, accepted, refused: unaccepted };
  }

  /**
   * Stores leads in the intake, however long it is full, but for an instance that stops (throws `MAILBOX_FULL`). Answers
   * how many, less those whose persons were erased meanwhile; undefined: the lease was lost.
   */
  async #store(
    { lead: item, requestId, traceparent }: Work<WorkItem>,
    leads: readonly Lead[],
    isErased: (lead: Lead) => boolean,
    renew: () => Promise<boolean>,
  ): Promise<number | undefined> {
    for (;;) {
      const writer = this.#options.bulk({ tenant: item.tenant, requestId, traceparent, importId: item.leadId });
      const due = leads.filter((lead) => !isErased(lead));
      try {
        for (const lead of due) await writer.write(lead);
        await writer.end();
        return due.length;
      } catch (error) {
        // What is under way is stored or not before it is tried again.
        await writer.end().catch(() => {});
        if ((error as { type?: string }).type !== "MAILBOX_FULL" || this.stopping) throw error;
        if (!(await renew())) return undefined;
      }
    }
  }
}

import type { Item } from "./actor/outcome.ts";
import type { Resources } from "./resources.ts";

/** Where a lead comes from, for headers and logs. */
export interface Origin {
  tenant: string;
  requestId: string;
  /** W3C traceparent */
  traceparent: string;
  importId?: string;
}

/** Writes the rows of one upload into the intake: envelopes of up to 50 leads or 64 kB, a bounded window in flight. */
export interface BulkWriter<T extends Item> {
  /** Resolves as soon as there is room for the next row: a full intake or a slow server pushes back here. */
  write(lead: T): Promise<void>;
  /** Leads that JetStream has acknowledged so far. */
  readonly accepted: number;
  /** Resolves when everything written is stored. Throws what stopped it (`MAILBOX_FULL`, `OUTAGE`). */
  end(): Promise<void>;
}

/** Takes leads in: accepted means stored (invariant 1). */
export interface Acceptor {
  /** One lead on the live lane. Resolves when JetStream has it; throws `MAILBOX_FULL` or `OUTAGE` otherwise. */
  one(lead: Item, origin: Origin): Promise<void>;
  /** Is this lead accepted but not yet in the record? (Leads taken in by {@link one}.) */
  isQueued(tenant: string, leadId: string): Promise<boolean>;
  bulk<T extends Item>(
    origin: Origin,
    options?: { /** How long a full intake is waited for. */ fullForMs?: number },
  ): BulkWriter<T>;
}

export function acceptor(_resources: Resources): Acceptor {
  throw new Error("being written");
}

import type { ImportTold } from "./tellers.ts";

/** What became of the leads that an import told. */
export interface ImportFlow {
  /** Estimated from a sample of the leads. */
  about: boolean;
  inProgress: number;
  completed: number;
  merged: number;
  rejected: number;
  dead: number;
  discarded: number;
  erased: number;
  /** Accepted, and no lead of its own: told before, by another import, or twice in this one. */
  repeated: number;
}

/** What the record answers about an import (`leads.import`). */
export interface ImportSeen {
  about: boolean;
  states: Partial<Record<string, number>>;
  /** All that was accepted before this is booked, ms since 1970. */
  bookedUntil: number;
}

const ends = ["completed", "merged", "rejected", "dead", "discarded", "erased"] as const;
/** How far a sample's idea of how many leads there are may be off: 3.5 standard errors. */
const sampleError = 0.05;

/**
 * The sum of all is what was accepted, or more where an upload was told again. Leads that are accepted and not booked yet
 * are in progress; once all is booked, those that are still missing are repeats.
 */
export function importFlow(
  { accepted, toldAt }: Pick<ImportTold, "accepted" | "toldAt">,
  seen: ImportSeen,
): ImportFlow {
  const booked = Object.values(seen.states).reduce<number>((sum, leads) => sum + leads!, 0);
  const isNear = seen.about && Math.abs(accepted - booked) <= accepted * sampleError;
  const total = isNear ? accepted : booked;
  const scale = booked > 0 ? total / booked : 0;
  const ended = Object.fromEntries(
    ends.map((state) => [state, Math.round((seen.states[state] ?? 0) * scale)]),
  ) as Record<(typeof ends)[number], number>;
  const missing = Math.max(0, accepted - total);
  const isBooked = seen.bookedUntil > toldAt;
  const underWay = total - Object.values(ended).reduce((sum, leads) => sum + leads, 0);
  return {
    about: seen.about,
    // Of rounded figures the sum of the ends may be one or two too many.
    inProgress: Math.max(0, underWay) + (isBooked ? 0 : missing),
    ...ended,
    repeated: isBooked ? missing : 0,
  };
}

type Asked = Pick<ImportTold, "tenant" | "importId" | "toldAt">;
interface Kept {
  askedAt: number;
  seen: ImportSeen | undefined;
}

/** How long an answer of the record is good while leads are under way, and when all have ended, ms. */
const movingMs = 2_000;
const endedMs = 60_000;
/** Imports asked about by one look: a page that polls, with a day's imports on it, costs the record little. */
const askedAtOnce = 8;
const kept = 500;

/** What the record said of imports lately. Those that were asked about the longest ago are asked about first. */
export class ImportsSeen {
  readonly #kept = new Map<string, Kept>();

  /** @param ask rejects where the record cannot say it: what it said before stands */
  async look(imports: readonly Asked[], now: number, ask: (one: Asked) => Promise<ImportSeen>): Promise<void> {
    const askedAt = ({ importId }: Asked) => this.#kept.get(importId)?.askedAt ?? 0;
    const due = imports
      .filter((one) => now - askedAt(one) >= this.#goodMs(one))
      .sort((a, b) => askedAt(a) - askedAt(b));
    await Promise.allSettled(
      due.slice(0, askedAtOnce).map(async (one) => {
        const entry = { askedAt: now, seen: this.of(one) };
        // Whoever looks meanwhile asks about others.
        this.#keep(one.importId, entry);
        entry.seen = await ask(one);
      }),
    );
  }

  of({ importId }: Asked): ImportSeen | undefined {
    return this.#kept.get(importId)?.seen;
  }

  #goodMs(one: Asked): number {
    const seen = this.of(one);
    const isOver = seen && seen.bookedUntil > one.toldAt && !seen.states["in_progress"];
    return isOver ? endedMs : movingMs;
  }

  #keep(importId: string, entry: Kept): void {
    this.#kept.delete(importId);
    this.#kept.set(importId, entry);
    if (this.#kept.size > kept) this.#kept.delete(this.#kept.keys().next().value!);
  }
}

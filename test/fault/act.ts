import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../bin/demo/random.ts";
import type { Cut } from "./judge.ts";
import type { Load } from "./load.ts";
import { endedCount } from "./proof.sql.ts";
import type { Fault } from "./rows.ts";
import type { World } from "./world.ts";

/** What was in hand when a fault struck. A fault that met nothing has shown nothing. */
export interface Evidence {
  what: string;
  inHand: number;
  /** ms since 1970 */
  at: number;
}

/** What most faults ask of the load: whose leads they are, who takes in more, and whether what it asks for is answered. */
export type Feed = Pick<Load, "tenant" | "client" | "isAnswered">;

/** How long a fault looks for work in the hands of what it breaks. */
export const patienceMs = 120_000;
/** Others connect again a moment after those that the driver asks: until then a call may still be cut in two, ms. */
const lastToConnectMs = 10_000;

/** A fault at work under some load: what it needs, and what it notes of itself. */
export class Act<L extends Feed = Feed> {
  readonly world: World;
  readonly load: L;
  readonly random: Random;
  readonly leads: number;
  readonly evidence: Evidence[] = [];
  /** Set by the clock row: more to prove at the end. Answers what is wrong. */
  readonly proofs: (() => Promise<string[]>)[] = [];
  /** Last dead letter when the row began. */
  deadBefore = 0;
  struckAt = 0;
  healedAt = 0;
  /** Faults that may have cut an e-mail, or a paid call, in two. */
  readonly cuts: Cut[] = [];

  constructor(world: World, load: L, seed: string, leads: number) {
    this.world = world;
    this.load = load;
    this.random = new Random(seed);
    this.leads = leads;
  }

  /** Waits until a share of the leads, drawn by the seed, has ended: the mesh is at work. */
  async underWay(): Promise<void> {
    const wanted = Math.floor(this.leads * (0.05 + this.random.next() * 0.15));
    await this.until(`${wanted} leads have ended`, async () => {
      return (await endedCount(this.world.knex, this.load.tenant)) >= wanted;
    });
  }

  /** Looks until `check` gives something true, and returns it. */
  async until<T>(what: string, check: () => Promise<T>, withinMs = patienceMs, everyMs = 50): Promise<T> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      let fault = "";
      try {
        const found = await check();
        if (found) return found;
      } catch (error) {
        fault = `: ${(error as Error).message}`;
      }
      if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms${fault}`);
      await delay(everyMs);
    }
  }

  /** Notes that the fault strikes now, with so much in hand. */
  struck(what: string, inHand: number): void {
    const at = Date.now();
    this.evidence.push({ what, inHand, at });
    if (this.struckAt === 0) this.struckAt = at;
  }

  /** Has a fault strike, waits until the mesh has recovered, and notes what may have been cut in two meanwhile. */
  async suffer({ strike, cuts = [] }: Pick<Fault<Act<L>>, "strike" | "cuts">): Promise<void> {
    const before = this.evidence.length;
    await strike(this);
    await this.recovering();
    const strikes = this.evidence.slice(before);
    if (cuts.length > 0 && strikes.length > 0)
      this.cuts.push({
        what: cuts,
        strikes: strikes.length,
        from: strikes[0]!.at,
        to: Date.now() + lastToConnectMs,
      });
  }

  /**
   * Waits until requests are answered again after the fault: what it costs is this row's, and nothing of it the next
   * one's. By the ends of the leads that are taken in meanwhile recovery is told.
   */
  async recovering(): Promise<void> {
    await this.until("requests are answered again", async () => this.load.isAnswered(this.healedAt));
  }

  /** Notes that what was broken is whole again, or is left to mend itself. */
  healed(): void {
    this.healedAt = Math.max(this.healedAt, Date.now());
  }
}

/** A row at work, which imports, too, and proves what became of it. */
export type RowAct = Act<Load>;

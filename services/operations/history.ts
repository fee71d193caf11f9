import type { Stage } from "./stages.ts";

/** How stages were in the last hour: enough for a curve, kept by whoever watches, gone with the process. */

/** A point tells of so long, ms. */
export const everyMs = 15_000;
/** Points that are kept: an hour. */
export const pointsKept = 240;

const measures = ["backlog", "inHand", "parked", "oldestMs", "rate"] as const;
type Measure = (typeof measures)[number];
type Looks = Record<Measure, number>;

/** Columns, as a chart takes them: `at[n]` is when point n ended; null where a stage was not known yet. */
export interface StageHistory {
  everyMs: number;
  at: number[];
  stages: Record<string, Record<Measure, (number | null)[]>>;
}

interface Point {
  at: number;
  stages: Map<string, Looks>;
}

export class History {
  readonly #points: Point[] = [];
  #since: number | undefined;
  #looks = 0;
  #now = new Map<string, Looks>();

  /** Takes in how the stages are. Of a point's time the mean of the rate is kept, and the worst of all else. */
  add(stages: readonly Stage[], now: number): void {
    this.#since ??= now;
    this.#looks++;
    for (const stage of stages) {
      const before = this.#now.get(stage.name);
      const inHand = stage.lanes.reduce((sum, { unacknowledged }) => sum + unacknowledged, 0);
      this.#now.set(stage.name, {
        backlog: Math.max(stage.backlog, before?.backlog ?? 0),
        inHand: Math.max(inHand, before?.inHand ?? 0),
        parked: Math.max(stage.parked, before?.parked ?? 0),
        oldestMs: Math.max(stage.oldestMs ?? 0, before?.oldestMs ?? 0),
        rate: stage.rate + (before?.rate ?? 0),
      });
    }
    if (now - this.#since < everyMs) return;
    const mean = ([name, looks]: [string, Looks]) =>
      [name, { ...looks, rate: Math.round((looks.rate / this.#looks) * 100) / 100 }] as const;
    this.#points.push({ at: now, stages: new Map([...this.#now].map(mean)) });
    if (this.#points.length > pointsKept) this.#points.shift();
    this.#since = now;
    this.#looks = 0;
    this.#now = new Map();
  }

  /** Takes over what another instance has kept, where this one has nothing yet. */
  adopt({ at, stages }: StageHistory): void {
    if (this.#points.length > 0) return;
    const looksAt = (columns: StageHistory["stages"][string], n: number): Looks =>
      Object.fromEntries(measures.map((measure) => [measure, columns[measure][n] ?? 0])) as Looks;
    for (const [n, time] of at.slice(-pointsKept).entries()) {
      const known = Object.entries(stages).filter(([, columns]) => columns.backlog[n] !== null);
      this.#points.push({ at: time, stages: new Map(known.map(([name, columns]) => [name, looksAt(columns, n)])) });
    }
  }

  /** What is kept, of these stages. */
  of(stages: readonly string[]): StageHistory {
    const column = (stage: string, measure: Measure) =>
      this.#points.map((point) => point.stages.get(stage)?.[measure] ?? null);
    return {
      everyMs,
      at: this.#points.map(({ at }) => at),
      stages: Object.fromEntries(
        stages.map((stage) => [
          stage,
          Object.fromEntries(measures.map((measure) => [measure, column(stage, measure)])) as Record<
            Measure,
            (number | null)[]
          >,
        ]),
      ),
    };
  }
}

import { performance } from "node:perf_hooks";
import { type Lane, lanes } from "../../config/names.ts";
import type { Meter } from "../metrics.ts";
import { Capacity } from "./capacity.ts";
import type { OutageState } from "./outage.ts";
import type { Item } from "./outcome.ts";
import type { Delivery } from "./puller.ts";
import { RecentRate } from "./recent.ts";
import type { Entry } from "./settle.ts";

/** All that `leads_outcomes_total` tells apart. */
const outcomes = ["forward", "complete", "merge", "reject", "retry", "wait", "drop", "dead", "foreign"] as const;
type OutcomeName = (typeof outcomes)[number];
const ends = new Set<OutcomeName>(["complete", "merge", "reject"]);

/** Where a batch's time went, ms; what it did not come to is absent. */
type StepTimes = Partial<Record<"decode" | "handle" | "checkpoint" | "publish", number>>;

/** Takes the time of a batch's steps. */
export function stepClock(): {
  times: StepTimes;
  timed<R>(step: keyof StepTimes, work: Promise<R>): Promise<R>;
} {
  const times: StepTimes = {};
  return {
    times,
    async timed(step, work) {
      const since = performance.now();
      const result = await work;
      times[step] = performance.now() - since;
      return result;
    },
  };
}

/** Counts what one instance of a stage does: a dozen calls a batch, none a lead. */
export class ActorMeter {
  readonly #meter: Meter;
  readonly #stage: string;
  readonly #capacity: Capacity;
  #outage: string | null = null;
  readonly #rate = new RecentRate();
  /** Leads that left its hands. */
  #completed = 0;
  /** Busy seconds that were counted already. */
  #toldSeconds = 0;

  constructor(meter: Meter, stage: string, places: number) {
    this.#meter = meter;
    this.#stage = stage;
    this.#capacity = new Capacity(places);
    // What has not happened yet is zero, not absent: the first of its kind is an increase.
    for (const lane of lanes) {
      const labels = { stage, lane };
      meter.add("leads_arrivals_total", labels, 0);
      meter.add("leads_envelopes_total", labels, 0);
      meter.add("leads_redeliveries_total", labels, 0);
      for (const outcome of outcomes) meter.add("leads_outcomes_total", { ...labels, outcome }, 0);
    }
  }

  /** A batch begins. */
  taken(lane: Lane, deliveries: readonly Delivery[], running: number): void {
    if (!this.#meter.isOn) return;
    this.#mark(running, 0);
    const labels = { stage: this.#stage, lane };
    const now = Date.now();
    let [leads, envelopes, oldestMs, waitedMs] = [0, 0, 0, 0];
    for (const { deliveries: times, count, storedAt } of deliveries) {
      if (times > 1) continue;
      envelopes++;
      leads += count;
      const waited = Math.max(0, now - storedAt);
      waitedMs += waited * count;
      oldestMs = Math.max(oldestMs, waited);
    }
    if (envelopes > 0) {
      this.#meter.add("leads_arrivals_total", labels, leads);
      this.#meter.add("leads_envelopes_total", labels, envelopes);
      this.#meter.add("leads_waited_seconds_total", labels, waitedMs / 1_000);
      this.#meter.observe("leads_wait_seconds", labels, oldestMs / 1_000);
    }
    if (envelopes < deliveries.length)
      this.#meter.add("leads_redeliveries_total", labels, deliveries.length - envelopes);
  }

  /** A batch was acknowledged. */
  done<T extends Item>(lane: Lane, entries: readonly Entry<T>[], dead: ReadonlySet<Entry<T>>, times: StepTimes): void {
    if (!this.#meter.isOn) return;
    const labels = { stage: this.#stage, lane };
    const counts = new Map<OutcomeName, number>();
    // Leads that came in one envelope are of one age.
    const ages = new Map<number, number>();
    const now = Date.now();
    for (const entry of entries) {
      const kind = dead.has(entry) ? "dead" : entry.outcome!.kind;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (!ends.has(kind)) continue;
      const age = ageMs(entry, now);
      ages.set(age, (ages.get(age) ?? 0) + 1);
    }
    for (const [age, times] of ages) this.#meter.observe("leads_end_to_end_seconds", { lane }, age / 1_000, times);
    for (const [outcome, count] of counts) this.#meter.add("leads_outcomes_total", { ...labels, outcome }, count);
    let totalMs = 0;
    for (const [step, ms] of Object.entries(times)) {
      totalMs += ms;
      this.#meter.add("leads_step_seconds_total", { ...labels, step }, ms / 1_000);
    }
    this.#meter.observe("leads_batch_size_leads", labels, entries.length);
    this.#meter.observe("leads_batch_duration_seconds", labels, totalMs / 1_000);
  }

  /** A batch has ended, well or not. */
  ended(running: number, leads: number): void {
    this.#completed += leads;
    if (this.#meter.isOn) this.#mark(running, leads);
  }

  foreign(lane: Lane): void {
    this.#meter.add("leads_outcomes_total", { stage: this.#stage, lane, outcome: "foreign" });
  }

  outage(state: OutageState | null): void {
    const dependency = state?.dependency ?? null;
    if (dependency === this.#outage) return;
    const set = (name: string | null, value: number) => {
      if (name !== null) this.#meter.set("leads_outage", { stage: this.#stage, dependency: name }, value);
    };
    set(this.#outage, 0);
    set(dependency, 1);
    this.#outage = dependency;
    if (dependency !== null) this.#meter.add("leads_outages_total", { stage: this.#stage, dependency });
  }

  /** Brings the gauges up to date. */
  read(inHand: number): void {
    const labels = { stage: this.#stage };
    this.#meter.set("leads_in_hand_leads", labels, inHand);
    this.#meter.set("leads_completed_leads_per_second", labels, this.#rate.at(performance.now(), this.#completed));
    const { perSecond, totalSeconds } = this.#capacity;
    if (perSecond !== null) this.#meter.set("leads_busy_leads_per_second", labels, perSecond);
    this.#meter.add("leads_busy_seconds_total", labels, totalSeconds - this.#toldSeconds);
    this.#toldSeconds = totalSeconds;
  }

  #mark(running: number, leads: number): void {
    const { active } = performance.eventLoopUtilization();
    this.#capacity.mark(performance.now(), active, running, leads);
  }
}

/** Since the lead stood in its first mailbox, by its timeline; the last stage's line is in it by now. */
function ageMs<T extends Item>({ outcome }: Entry<T>, now: number): number {
  const [first] = (outcome as { lead: T }).lead.timeline;
  return first ? Math.max(0, now - (first.at - first.waitedMs - first.workedMs)) : 0;
}

import { type NatsConnection, headers as natsHeaders } from "nats";
import { headers, type Lane, type Names } from "../../config/names.ts";
import type { StageOptions } from "../../config/pipeline.ts";
import type { Settings } from "../../config/settings.ts";
import { LeadsError } from "../errors.ts";
import type { Tracing } from "../tracing.ts";
import { foreignLetter } from "./dead-letter.ts";
import { unpack } from "./envelope.ts";
import type { ActorMeter } from "./meter.ts";
import { isOutage, type OutageGate, patience, type Step } from "./outage.ts";
import { drop, faultOf, type Item, type Outcome, retry, type Verdict, type Work } from "./outcome.ts";
import type { Publisher, PublishOptions } from "./publisher.ts";
import type { Delivery } from "./puller.ts";
import { type Entry, settle } from "./settle.ts";
import { bisect } from "./split.ts";
import type { StageStats } from "./stats.ts";

export interface WorkerOptions<T extends Item> {
  nc: NatsConnection;
  names: Names;
  settings: Settings;
  publisher: Publisher;
  tracing: Tracing;
  stage: StageOptions & { name: string };
  /** The stage after this one; null for the last. */
  next: string | null;
  handle(batch: Work<T>[]): Promise<Outcome<T>[]> | Outcome<T>[];
  checkpoint?(verdicts: Verdict<T>[]): Promise<void>;
  /** Was this item's person erased? Then nobody handles it any more. */
  isErased(tenant: string, leadId: string): boolean;
  probe(dependency: string): (() => Promise<unknown>) | undefined;
  meter: ActorMeter;
  log(level: "debug" | "info" | "warn" | "error", message: string, fields: object): void;
  /** Something that readiness shows has changed. */
  onChange(): void;
}

/** The stage stops: what is in hand goes back. */
export class Stopped extends Error {}

/** What is done with a batch, step by step: decode -> handle -> checkpoint -> publish. The worker acknowledges. */
export class Steps<T extends Item> {
  readonly #o: WorkerOptions<T>;
  readonly #gate: OutageGate;
  readonly #stats: StageStats;
  /** A publish between stages waits for room, until the stage stops. */
  readonly patient: PublishOptions;

  constructor(options: WorkerOptions<T>, gate: OutageGate, stats: StageStats, signal: AbortSignal) {
    this.#o = options;
    this.#gate = gate;
    this.#stats = stats;
    this.patient = { full: "wait", signal };
  }

  /** Reads the envelopes; one that cannot be read becomes a dead letter of its own. */
  async decode(deliveries: Delivery[]): Promise<Entry<T>[]> {
    const entries: Entry<T>[] = [];
    for (const delivery of deliveries) {
      try {
        const { route, items } = unpack<T>(delivery.msg.data, delivery.msg.headers);
        for (const { lead, tries } of items) {
          if (this.#o.isErased(route.tenant, lead.leadId)) {
            this.#stats.drop++;
            continue;
          }
          const work: Work<T> = {
            ...route,
            lead,
            attempt: (tries?.count ?? 0) + 1,
            redelivered: delivery.deliveries > 1,
          };
          entries.push({ work, tries, route, delivery, outcome: null });
        }
      } catch (error) {
        await this.#bury(delivery, error as Error);
      }
    }
    return entries;
  }

  /** The stage's own work. Afterwards every entry has an outcome; a lead that failed has `retry` with its error. */
  async handle(entries: Entry<T>[]): Promise<void> {
    if (entries.length === 0) return;
    const { stage, next } = this.#o;
    const startedAt = Date.now();
    const results = await this.#bisect("handle", entries, (part) => this.#ask(part));
    const now = Date.now();
    this.#stats.batches++;
    this.#stats.workedMs += now - startedAt;
    for (const [n, entry] of entries.entries()) {
      const result = results[n]!;
      let outcome: Outcome<T> = "error" in result ? retry(result.error) : result.result;
      if (outcome.kind === "forward" && next === null)
        outcome = { kind: "complete", lead: outcome.lead, reason: "done" };
      entry.outcome = outcome;
      if (!("lead" in outcome)) continue;
      const { attempt } = entry.work;
      outcome.lead.timeline.push({
        stage: stage.name,
        at: now,
        waitedMs: Math.max(0, startedAt - entry.delivery.storedAt),
        workedMs: now - startedAt,
        outcome: outcome.kind,
        ...(attempt > 1 ? { attempt } : {}),
      });
    }
  }

  async #ask(part: Entry<T>[]): Promise<Outcome<T>[]> {
    const { handle, stage } = this.#o;
    // Between two runs an outage may have lain, and an erasure.
    const erased = part.filter(this.#isErased);
    if (erased.length > 0) {
      const rest = part.filter((entry) => !erased.includes(entry));
      const told = rest.length > 0 ? await this.#ask(rest) : [];
      return part.map((entry) => (erased.includes(entry) ? drop : told[rest.indexOf(entry)]!));
    }
    const outcomes = await handle(part.map((entry) => entry.work));
    const wrong = (why: string) => new LeadsError("OUTCOMES", `stage ${stage.name} gave ${why}`);
    if (outcomes?.length !== part.length) throw wrong(`${outcomes?.length ?? "no"} outcomes for ${part.length} leads`);
    for (const [n, { work }] of part.entries()) {
      const fault = faultOf(outcomes[n], work.lead.leadId);
      if (fault) throw wrong(`${fault} for lead ${work.lead.leadId}`);
    }
    return outcomes;
  }

  readonly #isErased = ({ work }: Entry<T>): boolean => this.#o.isErased(work.tenant, work.lead.leadId);

  /** A step over the batch, through outages, down to the culprit. An outage that is the batch's own has had its patience. */
  #bisect<R>(step: Step, entries: Entry<T>[], run: (part: Entry<T>[]) => Promise<readonly R[]>) {
    let tolerance = patience;
    const through = async (part: Entry<T>[]) => {
      try {
        return await this.#gate.through(step, () => run(part), tolerance);
      } catch (error) {
        if (isOutage(error)) tolerance = 0;
        throw error;
      }
    };
    return bisect(entries, through, isStopped);
  }

  /** Verdicts into the record. A lead that the record refuses alone is retried as if its handler had failed. */
  async checkpoint(entries: Entry<T>[]): Promise<void> {
    const { checkpoint } = this.#o;
    const decided = entries.filter((entry) => "lead" in entry.outcome!);
    if (!checkpoint) {
      const ended = decided.find((entry) => entry.outcome!.kind !== "forward");
      if (ended && this.#o.next !== null)
        throw new Error(`stage ${this.#o.stage.name} ended a lead (${ended.outcome!.kind}), but has no checkpoint`);
      return;
    }
    if (decided.length === 0) return;
    const results = await this.#bisect("checkpoint", decided, async (part) => {
      await checkpoint(part.map((entry) => entry.outcome as Verdict<T>));
      return part.map(() => null);
    });
    for (const [n, entry] of decided.entries()) {
      const result = results[n]!;
      if (!("error" in result)) continue;
      (entry.outcome as Verdict<T>).lead.timeline.pop();
      entry.outcome = retry(result.error);
    }
  }

  /** Successors, parked leads and dead letters; resolves when JetStream has them all, with those that are dead. */
  async publish(entries: Entry<T>[]): Promise<ReadonlySet<Entry<T>>> {
    const { names, stage, next, publisher } = this.#o;
    for (const entry of entries) if (this.#isErased(entry)) entry.outcome = drop;
    const { parcels, dead } = settle(entries, { names, options: stage, next, now: Date.now(), random: Math.random });
    await Promise.all(
      parcels.map(({ subject, envelope }) => publisher.publish(subject, envelope.data, envelope.headers, this.patient)),
    );
    this.#stats.dead += dead.length;
    for (const entry of entries) {
      this.#stats[entry.outcome!.kind]++;
      if (entry.outcome!.kind === "retry") this.#logFailure(entry, dead.includes(entry));
    }
    return new Set(dead);
  }

  #logFailure({ work, outcome }: Entry<T>, dead: boolean): void {
    const { type, name, code } = (outcome as { error: Error & { type?: string; code?: string } }).error;
    this.#o.log(dead ? "warn" : "info", dead ? "lead is a dead letter" : "lead will be retried", {
      stage: this.#o.stage.name,
      leadId: work.lead.leadId,
      tenant: work.tenant,
      lane: work.lane,
      requestId: work.requestId,
      traceId: work.traceparent.split("-")[1],
      attempt: work.attempt,
      error: type ?? code ?? name,
    });
  }

  /** Whose mailbox a message is from: by its subject, as a foreign one has no headers. */
  laneOf({ msg }: Delivery): Lane {
    const { stage, names } = this.#o;
    return msg.subject === names.mailbox(stage.name).subject("live") ? "live" : "bulk";
  }

  async #bury(delivery: Delivery, error: Error): Promise<void> {
    const { stage, names, publisher, log } = this.#o;
    const from = { stream: names.mailbox(stage.name).stream, seq: delivery.seq };
    const letter = foreignLetter(stage.name, from, error, delivery.msg.data, Date.now());
    log("warn", "a message that is no envelope is a dead letter", { stage: stage.name, ...from, error: error.message });
    const h = natsHeaders();
    h.set(headers.stage, stage.name);
    h.set(headers.msgId, `foreign.${stage.name}.${from.seq}.${delivery.storedAt}`);
    await publisher.publish(
      names.dead.subject(stage.name, names.dead.nobody),
      new TextEncoder().encode(JSON.stringify(letter)),
      h,
      this.patient,
    );
    this.#stats.foreign++;
    this.#o.meter.foreign(this.laneOf(delivery));
  }
}

function isStopped(error: unknown): boolean {
  return error instanceof Stopped;
}

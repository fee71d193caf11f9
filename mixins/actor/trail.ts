import { newSpanId, splitTraceparent, writeTraceparent } from "../trace/ids.ts";
import { type About, type OfLead, type Parent, type Scope, startStopwatch, within } from "../trace/scope.ts";
import type { Tracing } from "../tracing.ts";
import type { Route } from "./envelope.ts";
import type { Item } from "./outcome.ts";
import type { Entry } from "./settle.ts";

/** The leads of a batch that belong to one trace: a lead of the live lane, or all that are of one import. */
interface Thread<T extends Item> {
  route: Route;
  traceId: string;
  /** The span before: of the stage before this one, of the request that took the lead in, or of the import. */
  parentId: string;
  /** Of the handling here. */
  spanId: string;
  sampled: boolean;
  entries: Entry<T>[];
}

/**
 * The spans of one batch. A sampled lead has two in its trace: `<stage> mailbox`, from when its message was stored until
 * the batch began (`<stage> parked` before it, where a try had failed), and `<stage>`, until its successor was stored; the
 * next stage's are children of the latter. An import is one trace: its batches are children of the request that brought
 * it, side by side, and each process tells a few a second. So no envelope's header changes on the bulk lane, and leads of
 * one import still share envelopes. What is not sampled costs the hash of a trace id, and is told only where it failed.
 */
export class Trail<T extends Item> {
  readonly #tracing: Tracing;
  readonly #stage: string;
  readonly #entries: readonly Entry<T>[];
  /** By `traceparent`: the sampled ones, and those that something was told of. */
  readonly #threads = new Map<string, Thread<T>>();
  readonly #stopwatch = startStopwatch();

  constructor(tracing: Tracing, stage: string, entries: readonly Entry<T>[]) {
    this.#tracing = tracing;
    this.#stage = stage;
    this.#entries = entries;
    if (!tracing.enabled) return;
    let unsampled = "";
    for (const entry of entries) {
      const { traceparent, lane } = entry.route;
      // The leads of an import stand together: one look for all.
      if (traceparent === unsampled) continue;
      if (!this.#threads.has(traceparent) && !this.#isSampled(entry.route)) {
        unsampled = traceparent;
        continue;
      }
      const thread = this.#thread(entry.route, true)!;
      thread.entries.push(entry);
      if (lane === "live") entry.onward = onward(thread);
    }
  }

  /** Runs the batch's steps on its leads' behalf, and tells how it went. */
  async run<R>(steps: () => Promise<R>): Promise<R> {
    let result: R;
    try {
      result = await within(this.#scope(), steps);
    } catch (error) {
      this.#tell(error);
      throw error;
    }
    this.#tell();
    return result;
  }

  #isSampled({ traceparent, lane }: Route): boolean {
    const context = splitTraceparent(traceparent);
    return (
      context !== null && this.#tracing.isSampled(context.traceId) && (lane === "live" || this.#tracing.takeBulk())
    );
  }

  #thread(route: Route, sampled: boolean): Thread<T> | undefined {
    const known = this.#threads.get(route.traceparent);
    if (known) return known;
    const context = splitTraceparent(route.traceparent);
    if (!context) return undefined;
    const thread: Thread<T> = { route, ...context, spanId: newSpanId(), sampled, entries: [] };
    this.#threads.set(route.traceparent, thread);
    return thread;
  }

  #scope(): Scope {
    const sampled = [...this.#threads.values()];
    // Of those that are not sampled the first is a parent all the same: a statement that fails is told under it.
    const [first] = this.#entries;
    const any = sampled.length > 0 || !first ? undefined : this.#traced(first.route);
    return {
      recorder: this.#tracing.enabled ? this.#tracing : null,
      service: this.#stage,
      parents: (any ? [any] : sampled).map(parentOf),
      about: this.#about(),
      only: (work) => this.#only(work),
    };
  }

  /** The thread that something is told of, or asked under, though it may not be sampled. */
  #traced(route: Route): Thread<T> | undefined {
    return this.#tracing.enabled ? this.#thread(route, false) : undefined;
  }

  /** What all leads of the batch have in common. */
  #about(): About {
    const [first] = this.#entries;
    if (!first) return { stage: this.#stage };
    if (this.#entries.length === 1) return aboutLead(this.#stage, first.work);
    const { tenant, lane } = first.route;
    const isOneTenants = this.#entries.every(({ route }) => route.tenant === tenant);
    return { stage: this.#stage, lane, ...(isOneTenants ? { tenant } : {}) };
  }

  #only(work: OfLead): Scope {
    const thread = this.#traced(work as OfLead & Route);
    const context = thread ? parentOf(thread) : bareParent(work.traceparent);
    return {
      recorder: this.#tracing.enabled ? this.#tracing : null,
      service: this.#stage,
      parents: context ? [context] : [],
      about: aboutLead(this.#stage, work),
    };
  }

  #tell(error?: unknown): void {
    if (!this.#tracing.enabled) return;
    const endMs = this.#stopwatch.nowMs();
    const failed = this.#entries.filter(({ outcome }) => outcome?.kind === "retry");
    const of = (entries: readonly Entry<T>[], { route }: Thread<T>) =>
      entries.filter((entry) => entry.route.traceparent === route.traceparent);
    for (const { route } of failed) this.#traced(route);
    for (const thread of this.#threads.values()) {
      if (!thread.sampled) thread.entries = of(this.#entries, thread);
      const faults = failed.length > 0 ? of(failed, thread) : failed;
      // A batch that could not be finished comes again: its unsampled leads are told by what failed in it.
      if (thread.sampled || faults.length > 0) this.#tellThread(thread, faults, endMs, error);
    }
  }

  #tellThread(thread: Thread<T>, failed: readonly Entry<T>[], endMs: number, error: unknown): void {
    const { route, traceId, parentId, entries } = thread;
    const { startMs } = this.#stopwatch;
    const common = { traceId, parentId, service: this.#stage };
    const alone = entries.length === 1 ? entries[0]! : undefined;
    const tags = {
      stage: this.#stage,
      lane: route.lane,
      tenant: route.tenant,
      request: route.requestId,
      import: route.importId,
      leads: entries.length,
      lead: alone?.work.lead.leadId,
    };
    if (thread.sampled) {
      const storedAt = Math.min(startMs, ...entries.map(({ delivery }) => delivery.storedAt));
      const failedAt = alone?.tries?.lastAt;
      if (failedAt !== undefined && failedAt < storedAt)
        this.#tracing.record({ ...common, name: `${this.#stage} parked`, startMs: failedAt, endMs: storedAt, tags });
      this.#tracing.record({ ...common, name: `${this.#stage} mailbox`, startMs: storedAt, endMs: startMs, tags });
    }
    const fault = error ?? (failed[0]?.outcome as { error?: Error } | undefined)?.error;
    this.#tracing.record({
      ...common,
      name: this.#stage,
      spanId: thread.spanId,
      kind: "CONSUMER",
      remote: "nats",
      startMs,
      endMs,
      tags: {
        ...tags,
        outcome: alone?.outcome?.kind,
        attempt: alone?.work.attempt,
        redelivered: entries.some(({ work }) => work.redelivered) || undefined,
        failed: failed.length || undefined,
      },
      ...(fault === undefined ? {} : { error: fault }),
    });
  }
}

const parentOf = ({ traceId, spanId, sampled }: Parent): Parent => ({ traceId, spanId, sampled });

/** The successor's `traceparent`: what comes after is a part of what was done here. */
const onward = ({ traceId, spanId }: { traceId: string; spanId: string }) => writeTraceparent(traceId, spanId, true);

/** Where no spans are kept the thread of a call is what came with the lead. */
function bareParent(traceparent: string): Parent | null {
  const context = splitTraceparent(traceparent);
  return context && { traceId: context.traceId, spanId: context.parentId, sampled: false };
}

function aboutLead(stage: string, { lead, tenant, lane, requestId, traceparent, importId }: OfLead): About {
  return {
    stage,
    leadId: lead.leadId,
    tenant,
    lane,
    requestId,
    traceId: traceparent.slice(3, 35),
    ...(importId === undefined ? {} : { importId }),
  };
}

import type { CallingOptions, Context, Middleware, ServiceBroker, Span, TracerOptions } from "moleculer";
import type { Settings } from "../config/settings.ts";
import { placeOf } from "./trace/ids.ts";
import { type About, currentScope, type EndedSpan, type Recorder, type Scope, within } from "./trace/scope.ts";
import { ZipkinExporter } from "./trace/zipkin.ts";

/** Batches of imports that a process may tell spans of, a second, and at once after a rest. */
const bulkPerSecond = 10;
const bulkBurst = 50;

const byBroker = new WeakMap<ServiceBroker, Tracing>();

/** The traces of this broker's process. Throws when the broker was made without {@link tracing}. */
export function tracingOf(broker: ServiceBroker): Tracing {
  const found = byBroker.get(broker);
  if (!found) throw new Error("this broker has no traces: add the tracing() middleware to its options");
  return found;
}

/** Moleculer's own part: spans of actions, without what they are called with. */
export function tracerOptions(settings: Settings): TracerOptions | false {
  if (settings.zipkinUrl === "") return false;
  return {
    enabled: true,
    exporter: new ZipkinExporter({ url: settings.zipkinUrl }) as never,
    actions: true,
    events: false,
    tags: { action: { params: false }, event: { params: false } },
    errorFields: ["name", "code", "type"],
  };
}

/** Which traces are exported, and how spans get there. One a process. */
export class Tracing implements Recorder {
  readonly #broker: ServiceBroker;
  readonly #share: number;
  /** Spans go somewhere. */
  readonly enabled: boolean;
  #bulk = bulkBurst;
  #bulkAt = 0;

  constructor(broker: ServiceBroker, settings: Settings) {
    this.#broker = broker;
    this.#share = settings.traceShare;
    this.enabled = broker.isTracingEnabled();
  }

  /** Is this trace exported? The same answer in every process that has the same share. */
  isSampled(traceId: string): boolean {
    return this.enabled && placeOf(traceId) < this.#share;
  }

  /** May spans of one more batch of an import be told? An import of a million leads is one trace: all of it nobody could read. */
  takeBulk(): boolean {
    const now = performance.now();
    this.#bulk = Math.min(bulkBurst, this.#bulk + ((now - this.#bulkAt) * bulkPerSecond) / 1_000);
    this.#bulkAt = now;
    if (this.#bulk < 1) return false;
    this.#bulk--;
    return true;
  }

  /** Hands on a span that has ended, sampled or not. */
  record({ name, traceId, spanId, parentId, startMs, endMs, service, kind, remote, tags, error }: EndedSpan): void {
    if (!this.enabled) return;
    const span = this.#broker.tracer.startSpan(name, {
      ...(spanId === undefined ? {} : { id: spanId }),
      traceID: traceId,
      ...(parentId === null ? {} : { parentID: parentId }),
      sampled: true,
      service,
      tags: { ...tags, kind, remote },
    });
    // It began before it was made: the ticks move with the time, or its end would be reckoned from now.
    span.startTicks = span.startTicks! - (span.startTime! - startMs);
    span.startTime = startMs;
    if (error !== undefined) span.setError(error as Error);
    span.finish(Math.max(startMs, endMs));
  }
}

interface Meta {
  about?: About;
}

/**
 * Keeps the thread through calls: whoever calls on behalf of a lead hands on its trace, request and ids
 * (`ctx.requestID` is the trace's id, `ctx.meta.about` the others), and what the called action does, logs and asks
 * outside is told under its span.
 */
export function tracing(settings: Settings): Middleware {
  return {
    name: "tracing",
    created(broker: ServiceBroker) {
      const own = new Tracing(broker, settings);
      byBroker.set(broker, own);
      if (!own.enabled) return;
      const { tracer } = broker as unknown as {
        tracer: { shouldSample(span: Span): boolean; spanFinished(span: Span): void; invokeExporter: Function };
      };
      tracer.shouldSample = (span) => own.isSampled(span.traceID);
      tracer.spanFinished = (span) => {
        if (span.sampled || isFailure(span.error)) tracer.invokeExporter("spanFinished", [span]);
      };
    },
    call(next: (name: string, params: unknown, options?: CallingOptions) => unknown) {
      return (name: string, params: unknown, options: CallingOptions = {}) => next(name, params, calling(options));
    },
    localAction(this: ServiceBroker, handler: (ctx: Context<any, Meta>) => unknown) {
      const { broker } = { broker: this };
      return (ctx: Context<any, Meta>) => within(scopeOf(tracingOf(broker), ctx), () => handler(ctx));
    },
  } as unknown as Middleware;
}

/** The caller's thread, where the call has none of its own yet. */
function calling(options: CallingOptions): CallingOptions {
  const scope = currentScope();
  if (!scope || options.parentCtx || options.parentSpan) return options;
  const parent = scope.parents[0];
  const { traceId: _, ...about } = scope.about;
  return {
    ...options,
    meta: { ...options.meta, about },
    ...(parent && { parentSpan: { id: parent.spanId, traceID: parent.traceId, sampled: parent.sampled } as Span }),
  };
}

function scopeOf(own: Tracing, ctx: Context<any, Meta>): Scope {
  const traceId = ctx.requestID!;
  return {
    recorder: own.enabled ? own : null,
    service: ctx.service!.fullName,
    parents: [{ traceId, spanId: ctx.id, sampled: ctx.tracing === true }],
    about: { ...ctx.meta.about, traceId },
  };
}

/** A fault of ours, or of what we stand on: not a caller's, nor an answer that says no. */
function isFailure(error: unknown): boolean {
  if (!error) return false;
  const { code } = error as { code?: unknown };
  return typeof code === "number" ? code >= 500 : true;
}

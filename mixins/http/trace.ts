import type { CallingOptions, ServiceBroker, Span } from "moleculer";
import type { TraceContext } from "../trace/ids.ts";
import type { About } from "../trace/scope.ts";
import { tracingOf } from "../tracing.ts";
import type { Operation } from "./operation.ts";

/** A request goes on with the caller's trace: Moleculer's request id is the trace's id, ours travels beside it. */
export function continueTrace(
  broker: ServiceBroker,
  { operation, trace, about }: { operation: Operation; trace: TraceContext; about: About },
  options: CallingOptions,
): void {
  const { traceId, parentId } = trace;
  // What is asked for without a key is asked for every few seconds, by whatever watches us.
  const sampled = operation.scope !== null && tracingOf(broker).isSampled(traceId);
  options.parentSpan = { id: parentId, traceID: traceId, sampled } as unknown as Span;
  options.meta = { about };
}

import { AsyncLocalStorage } from "node:async_hooks";

/** On whose behalf the code that runs is run: for its spans, the calls it makes and the lines it logs. */

/** A span that is under way, or that is known by its id alone. */
export interface Parent {
  traceId: string;
  spanId: string;
  sampled: boolean;
}

/** What a log line says of whom it is about. Ids only. */
export interface About {
  requestId?: string;
  traceId?: string;
  leadId?: string;
  tenant?: string;
  importId?: string;
  stage?: string;
  lane?: string;
}

/** A span that has ended. Times are ms since 1970, with fractions. */
export interface EndedSpan {
  name: string;
  traceId: string;
  /** Absent: a new one. */
  spanId?: string;
  parentId: string | null;
  startMs: number;
  endMs: number;
  /** The service that it ran in. */
  service: string;
  /** Absent: work within the process. */
  kind?: "CLIENT" | "SERVER" | "PRODUCER" | "CONSUMER";
  /** What was called, where it was something outside. */
  remote?: string;
  /** Ids and words of ours; never what a person told. */
  tags?: Record<string, string | number | boolean | undefined>;
  error?: unknown;
}

/** Takes spans that have ended. */
export interface Recorder {
  record(span: EndedSpan): void;
}

/** Of what a mailbox holds: whose it is. */
export interface OfLead {
  lead: { leadId: string };
  tenant: string;
  lane: string;
  requestId: string;
  traceparent: string;
  importId?: string;
}

export interface Scope {
  /** null where no spans are kept. */
  recorder: Recorder | null;
  service: string;
  /**
   * The spans that what happens here is a part of: one for a call or a lead, several for a batch. Of a batch those that
   * are exported; where none is, one under which a failure can be told.
   */
  parents: readonly Parent[];
  about: About;
  /** Of a batch: the scope of one of its leads. */
  only?(work: OfLead): Scope;
}

const storage = new AsyncLocalStorage<Scope | undefined>();

export function currentScope(): Scope | undefined {
  return storage.getStore();
}

export function within<R>(scope: Scope, run: () => R): R {
  return storage.run(scope, run);
}

/** Runs what is done for several at once: a part of each one's trace, and on nobody's behalf alone. */
export function withinAll<R>(scopes: readonly Scope[], run: () => R): R {
  const [first] = scopes;
  if (!first || scopes.length === 1) return storage.run(first, run);
  return storage.run({ ...first, parents: scopes.flatMap(({ parents }) => parents), about: {} }, run);
}

/** Runs what outlives whoever asked first: a connection's events are on nobody's behalf. */
export function onNobodysBehalf<R>(run: () => R): R {
  return storage.run(undefined, run);
}

/**
 * Within a stage's handler: runs `run` on behalf of one lead of the batch. What it calls, logs and asks outside is then
 * a part of that lead's trace alone.
 */
export function onBehalfOf<R>(work: OfLead, run: () => R): R {
  const scope = storage.getStore();
  return scope?.only ? storage.run(scope.only(work), run) : run();
}

/** Runs a step as a span of its own in each trace that it is a part of. One that fails is told even where none is exported. */
export async function traced<R>(
  what: Pick<EndedSpan, "name" | "kind" | "remote">,
  run: () => PromiseLike<R>,
): Promise<R> {
  const scope = storage.getStore();
  if (!scope?.recorder) return run();
  const stopwatch = startStopwatch();
  try {
    const result = await run();
    if (scope.parents.some(({ sampled }) => sampled)) recordChildren(scope, what, stopwatch);
    return result;
  } catch (error) {
    recordChildren(scope, what, stopwatch, error);
    throw error;
  }
}

function recordChildren(
  { recorder, service, parents }: Scope,
  what: Pick<EndedSpan, "name" | "kind" | "remote">,
  { startMs, nowMs }: Stopwatch,
  error?: unknown,
): void {
  const endMs = nowMs();
  const shared = parents.length > 1 ? { tags: { shared: parents.length } } : {};
  for (const { traceId, spanId: parentId, sampled } of parents) {
    if (sampled || error !== undefined)
      recorder!.record({
        ...what,
        traceId,
        parentId,
        startMs,
        endMs,
        service,
        ...shared,
        ...(error !== undefined && { error }),
      });
  }
}

export interface Stopwatch {
  startMs: number;
  nowMs(): number;
}

/** The wall clock where it starts, the steady one from there: spans of one process are exact against each other. */
export function startStopwatch(): Stopwatch {
  const startMs = Date.now();
  const ticks = performance.now();
  return { startMs, nowMs: () => startMs + performance.now() - ticks };
}

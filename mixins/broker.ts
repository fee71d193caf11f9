import type { BrokerOptions, CallingOptions, Middleware } from "moleculer";
import { namesFor } from "../config/names.ts";
import { pipeline, type StageConfig } from "../config/pipeline.ts";
import type { Settings } from "../config/settings.ts";
import { CountingCacher, MissingCacher } from "./cacher.ts";
import { hiddenIn, LogLines, toConsole } from "./log.ts";
import { LogStream, logStreaming } from "./log-stream.ts";
import { lostAnswers } from "./lost-answers.ts";
import { processMetrics } from "./metrics/process.ts";
import { resources } from "./resources.ts";
import { newSpanId, newTraceId } from "./trace/ids.ts";
import { tracerOptions, tracing } from "./tracing.ts";
import { turnAmongHeard, Unheard } from "./unheard.ts";

/** A cached answer of an action that names no TTL of its own lives this long. */
const cacheTtlSeconds = 60;
/** Where there is no Redis each process keeps so many answers; the least used go first. */
const memoryCacheEntries = 10_000;

/** Faults of the way to a service, before it did anything: the same call, made again, can do no harm. */
const retried = new Set(["SERVICE_NOT_AVAILABLE", "REQUEST_REJECTED", "BAD_GATEWAY"]);
/** Faults with code 5xx that say nothing against the node that was called: its own answers, and a connection that broke. */
const notItsFault = new Set(["MAILBOX_FULL", "RATE_LIMITED", "REQUEST_REJECTED"]);

type Fault = Error & { code?: number; type?: string };

/** The options of a node of the mesh: `moleculer.config.ts` and the tests make their brokers with them. */
export function brokerOptions(settings: Settings, flow: readonly StageConfig[] = pipeline): BrokerOptions {
  const names = namesFor(settings.prefix);
  const logStream = new LogStream(settings);
  const counting = processMetrics(settings);
  const unheard = new Unheard();
  return {
    namespace: settings.prefix,
    transporter: {
      type: "NATS",
      options: {
        servers: settings.natsUrl.split(","),
        // For ever, also the first time: a node that starts before NATS waits for it.
        maxReconnectAttempts: -1,
        waitOnFirstConnect: true,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        pingInterval: 5_000,
        maxPingOut: 3,
      },
    },
    serializer: "JSON",
    cacher:
      settings.redisUrl === ""
        ? new CountingCacher({ max: memoryCacheEntries, ttl: cacheTtlSeconds })
        : new MissingCacher(settings.redisUrl, names.cache("call", ""), cacheTtlSeconds),
    registry: { discoverer: "Local", strategy: turnAmongHeard(unheard), preferLocal: true },
    heartbeatInterval: 5,
    heartbeatTimeout: 15,

    requestTimeout: 10_000,
    retryPolicy: {
      enabled: true,
      retries: 2,
      delay: 100,
      factor: 2,
      maxDelay: 1_000,
      check: (error: Fault) => retried.has(error.type ?? ""),
    },
    circuitBreaker: {
      enabled: true,
      threshold: 0.5,
      minRequestCount: 20,
      windowTime: 60,
      halfOpenTime: 5_000,
      check: (error: Fault) => (error.code ?? 500) >= 500 && !notItsFault.has(error.type ?? ""),
    },
    // Bounds what one action holds in memory; beyond it callers are told QUEUE_FULL (429).
    bulkhead: { enabled: true, concurrency: 256, maxQueueSize: 4_096 },
    // Calls in work when SIGTERM comes may end; the last fifth of the deadline is for closing.
    tracking: { enabled: true, shutdownTimeout: Math.floor(settings.drainMs * 0.8) },

    logger: new LogLines({
      level: settings.logLevel,
      sinks: [toConsole, (line) => logStream.take(line)],
      hidden: hiddenIn(settings),
    }),
    logLevel: settings.logLevel,
    // W3C trace context: a span's id is 8 bytes, a request's (its trace) 16.
    uidGenerator: newSpanId,
    metrics: counting.metrics!,
    tracing: tracerOptions(settings),
    middlewares: [
      requestIds,
      lostAnswers(names, unheard),
      ...counting.middlewares,
      resources(settings, flow),
      tracing(settings),
      logStreaming(logStream),
    ],
  };
}

type Next = (name: string, payload: unknown, options?: CallingOptions) => unknown;

/** Gives a call or event that begins something a request id of 32 hex digits; what it leads to inherits it. */
const requestIds = {
  name: "request-ids",
  call: (next: Next) => withRequestId(next),
  emit: (next: Next) => withRequestId(next),
  broadcast: (next: Next) => withRequestId(next),
} as unknown as Middleware;

function withRequestId(next: Next): Next {
  return (name, payload, options = {}) =>
    next(
      name,
      payload,
      options.parentCtx || options.requestID || options.parentSpan ? options : { ...options, requestID: newTraceId() },
    );
}

import { setTimeout as delay } from "node:timers/promises";
import { type Span, type Tracer, TracerExporters } from "moleculer";

/** https://zipkin.io/zipkin-api/#/default/post_spans. Times in microseconds. */
export interface ZipkinSpan {
  traceId: string;
  id: string;
  parentId?: string;
  name: string;
  kind?: string;
  timestamp: number;
  duration: number;
  localEndpoint: { serviceName: string };
  remoteEndpoint?: { serviceName: string };
  tags: Record<string, string>;
}

/**
 * The tags that leave the process: ids, and words of ours. Moleculer's own would carry what actions were called with, and
 * a service's may say what a person told.
 */
const shownTags = [
  ...["stage", "lane", "tenant", "lead", "leads", "import", "request", "attempt", "outcome", "failed", "redelivered"],
  ...["shared", "fromCache"],
] as const;

const traceIdShape = /^([0-9a-f]{16}|[0-9a-f]{32})$/;
const spanIdShape = /^[0-9a-f]{16}$/;

/** The span as Zipkin takes it; null for one whose ids are not of a trace. An error is told by its type, never by its words. */
export function zipkinSpan(span: Span, node: string): ZipkinSpan | null {
  const { traceID, id, parentID, name, startTime, duration, service, tags, error } = span;
  if (!traceIdShape.test(traceID) || !spanIdShape.test(id)) return null;
  const isRemote = span.type === "action" && tags["remoteCall"] === true;
  const kind: string | undefined = tags["kind"] ?? (isRemote ? "SERVER" : undefined);
  const shown: Record<string, string> = { node };
  for (const tag of shownTags) if (tags[tag] !== undefined && tags[tag] !== null) shown[tag] = String(tags[tag]);
  if (error) shown["error"] = errorName(error);
  return {
    traceId: traceID,
    id,
    ...(parentID && spanIdShape.test(parentID) ? { parentId: parentID } : {}),
    name: name.replace(/^action '(.+)'$/, "$1"),
    ...(kind === undefined ? {} : { kind }),
    timestamp: Math.round(startTime! * 1_000),
    // Zipkin takes 0 for "not known".
    duration: Math.max(1, Math.round(duration! * 1_000)),
    localEndpoint: { serviceName: service?.fullName ?? "unknown" },
    ...(typeof tags["remote"] === "string" ? { remoteEndpoint: { serviceName: tags["remote"] } } : {}),
    tags: shown,
  };
}

function errorName(error: unknown): string {
  const { type, code, name } = error as { type?: unknown; code?: unknown; name?: unknown };
  return [type, code, name].find((word) => typeof word === "string" && word !== "")?.toString() ?? "Error";
}

export interface ZipkinOptions {
  /** Of the collector: `http://127.0.0.1:9411`. */
  url: string;
  /** How often what has gathered is sent, ms. */
  everyMs?: number;
  /** How long the collector may take over one batch, ms. */
  timeoutMs?: number;
  /** How long a collector that takes nothing is waited for, ms: longer, and what it does not take is dropped. */
  keepMs?: number;
}

/** Spans of one request. */
const batchSpans = 500;
/** Spans that wait at the most: about 5 MB. What comes beyond is dropped. */
const maxWaiting = 10_000;
/** What is still waiting when the process stops has so long, ms. */
const flushMs = 2_000;
/** Then, how long after a batch that was not taken the next try comes, ms. */
const flushPauseMs = 100;

/**
 * Posts spans to a Zipkin collector, from a queue of its own and one request at a time: a collector that is slow, full or
 * gone for longer than the queue lasts costs spans, which are counted, and slows nobody. What it does not take is sent
 * again, in its order; where it had taken it all the same, Zipkin shows a span once, by its id. (Moleculer's exporter cuts
 * trace ids in half, calls every span a server's and loses what it holds when the process stops.)
 */
export class ZipkinExporter extends TracerExporters.Base {
  /** Spans that the collector took, and those that were given up. */
  readonly counts = { exported: 0, dropped: 0 };
  readonly #options: Required<ZipkinOptions>;
  readonly #waiting: ZipkinSpan[] = [];
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  /** Since when it has taken nothing, ms since 1970. */
  #failingSince: number | undefined;

  constructor(options: ZipkinOptions) {
    super({});
    this.#options = { everyMs: 1_000, timeoutMs: 5_000, keepMs: 60_000, ...options };
  }

  override init(tracer: Tracer): void {
    super.init(tracer);
    this.#timer = setInterval(() => this.#send(), this.#options.everyMs);
    this.#timer.unref();
  }

  override spanFinished(span: Span): void {
    const taken = this.#waiting.length < maxWaiting ? zipkinSpan(span, this.broker.nodeID) : null;
    if (!taken) {
      this.counts.dropped++;
      return;
    }
    this.#waiting.push(taken);
    // One request more for a full batch, not one for each span after it.
    if (this.#waiting.length === batchSpans) this.#send();
  }

  /** Sends what waits, as far as the collector takes it in time. */
  override async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping = true;
    const late = Date.now() + flushMs;
    await this.#sending;
    while (this.#waiting.length > 0 && Date.now() < late) {
      await this.#send(late - Date.now());
      if (this.#failingSince !== undefined) await delay(flushPauseMs);
    }
    this.counts.dropped += this.#waiting.splice(0).length;
  }

  #send(timeoutMs = this.#options.timeoutMs): Promise<void> {
    this.#sending ??= this.#sendBatches(timeoutMs).finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  /** A batch, and on while there is a full one more: what has piled up must not wait for as many turns of the timer. */
  async #sendBatches(timeoutMs: number): Promise<void> {
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, batchSpans);
      const fault = await this.#post(spans, timeoutMs);
      this.#settle(spans, fault);
      if (fault || this.#stopping || this.#waiting.length < batchSpans) return;
    }
  }

  /** Asks the collector to take spans; what was wrong where it does not. */
  async #post(spans: ZipkinSpan[], timeoutMs: number): Promise<Fault | undefined> {
    try {
      const { ok, status, body } = await fetch(`${this.#options.url.replace(/\/$/, "")}/api/v2/spans`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(spans),
        signal: AbortSignal.timeout(Math.max(1, timeoutMs)),
      });
      await body?.cancel();
      return ok ? undefined : { reason: `it answers ${status}`, isFinal: isRefusal(status) };
    } catch (error) {
      const { name, cause } = error as Error & { cause?: { code?: string } };
      return { reason: cause?.code ?? name, isFinal: false };
    }
  }

  /** Counts what was taken, and what is given up; what may still be taken waits again, before all others. */
  #settle(spans: ZipkinSpan[], fault: Fault | undefined): void {
    const since = this.#failingSince;
    this.#failingSince = fault && (since ?? Date.now());
    if (!fault) this.counts.exported += spans.length;
    else if (fault.isFinal || Date.now() - this.#failingSince! >= this.#options.keepMs)
      this.counts.dropped += spans.length;
    else this.#waiting.unshift(...spans);
    if (fault && since === undefined)
      this.logger.warn("the collector of traces takes no spans: what it does not take soon is dropped", {
        reason: fault.reason,
      });
    if (!fault && since !== undefined) this.logger.info("the collector of traces takes spans again", this.counts);
  }
}

/** Why a collector did not take a batch; `isFinal`: it would not take it another time either. */
interface Fault {
  reason: string;
  isFinal: boolean;
}

/** Is it what was sent that is wrong, and not the collector or the moment? */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

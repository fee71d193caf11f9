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
}

/** Spans of one request. */
const batchSpans = 500;
/** Spans that wait at the most: about 5 MB. What comes beyond is dropped. */
const maxWaiting = 10_000;
/** What is still waiting when the process stops has so long, ms. */
const flushMs = 2_000;

/**
 * Posts spans to a Zipkin collector, from a queue of its own and one request at a time: a collector that is slow, full or
 * gone costs spans, which are counted, and slows nobody. (Moleculer's exporter cuts trace ids in half, calls every span a
 * server's and loses what it holds when the process stops.)
 */
export class ZipkinExporter extends TracerExporters.Base {
  /** Spans that the collector took, and those that were given up. */
  readonly counts = { exported: 0, dropped: 0 };
  readonly #options: Required<ZipkinOptions>;
  readonly #waiting: ZipkinSpan[] = [];
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(options: ZipkinOptions) {
    super({});
    this.#options = { everyMs: 1_000, timeoutMs: 5_000, ...options };
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
    const late = Date.now() + flushMs;
    while (this.#waiting.length > 0 && Date.now() < late) {
      await this.#sending;
      await this.#send(late - Date.now());
    }
    await this.#sending;
    this.counts.dropped += this.#waiting.splice(0).length;
  }

  #send(timeoutMs = this.#options.timeoutMs): Promise<void> {
    if (this.#waiting.length === 0) return Promise.resolve();
    this.#sending ??= this.#post(this.#waiting.splice(0, batchSpans), timeoutMs).finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #post(spans: ZipkinSpan[], timeoutMs: number): Promise<void> {
    let fault: string | undefined;
    try {
      const answer = await fetch(`${this.#options.url.replace(/\/$/, "")}/api/v2/spans`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(spans),
        signal: AbortSignal.timeout(Math.max(1, timeoutMs)),
      });
      await answer.body?.cancel();
      if (!answer.ok) fault = `it answers ${answer.status}`;
    } catch (error) {
      const { name, cause } = error as Error & { cause?: { code?: string } };
      fault = cause?.code ?? name;
    }
    this.counts[fault === undefined ? "exported" : "dropped"] += spans.length;
    if ((fault !== undefined) === this.#failing) return;
    this.#failing = fault !== undefined;
    if (fault === undefined) this.logger.info("the collector of traces takes spans again", this.counts);
    else this.logger.warn("the collector of traces takes no spans: they are dropped", { reason: fault });
  }
}

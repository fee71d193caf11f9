import type { ZipkinSpan } from "../../mixins/trace/zipkin.ts";
import { eventually } from "./eventually.ts";

/** What a Zipkin has of a trace, by its API, the earliest first; none where it knows no such trace. */
export async function traceIn(url: string, traceId: string): Promise<ZipkinSpan[]> {
  const answer = await fetch(`${url}/api/v2/trace/${traceId}`);
  if (answer.status === 404) return [];
  if (!answer.ok) throw new Error(`Zipkin answers ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as ZipkinSpan[]).toSorted((a, b) => a.timestamp - b.timestamp);
}

/**
 * What a Zipkin has of a trace as soon as spans of all these names are there. Each process tells its spans when it comes to
 * it, and Zipkin answers before it has stored them: those of any process, the first one's too, may be the last to come.
 */
export function traceWith(url: string, traceId: string, names: readonly string[]): Promise<ZipkinSpan[]> {
  return eventually("the trace has come", async () => {
    const spans = await traceIn(url, traceId);
    const missing = names.filter((name) => !spans.some((span) => span.name === name));
    if (missing.length > 0) throw new Error(`no ${missing.join(", ")} in ${spans.map((s) => s.name).join(", ")}`);
    return spans;
  });
}

/** The one span of this name. */
export function spanNamed(spans: readonly ZipkinSpan[], name: string): ZipkinSpan {
  const found = spans.filter((span) => span.name === name);
  if (found.length !== 1)
    throw new Error(`${found.length} spans are called "${name}"; there are ${spans.map((s) => s.name).join(", ")}`);
  return found[0]!;
}

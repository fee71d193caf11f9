import type { ServiceBroker } from "moleculer";

/** One sample of a page of metrics. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A page in Prometheus' text format, read strictly: throws for a line that is none. */
export function readMetrics(text: string): {
  samples: Sample[];
  types: Map<string, string>;
  help: Map<string, string>;
} {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line);
    if (comment) {
      (comment[1] === "HELP" ? help : types).set(comment[2]!, comment[3]!);
      continue;
    }
    const sample = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!sample) throw new Error(`no line of metrics: ${line}`);
    const labels = [...(sample[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)",?/g)].map(([, key, value]) => [
      key!,
      value!,
    ]);
    samples.push({ name: sample[1]!, labels: Object.fromEntries(labels), value: Number(sample[3]) });
  }
  return { samples, types, help };
}

export async function scrape(url: string): Promise<ReturnType<typeof readMetrics>> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${await answer.text()}`);
  return readMetrics(await answer.text());
}

/** Where a broker serves its process's metrics. */
export function metricsUrl(broker: ServiceBroker): string {
  const { host, port } = broker.metadata["metrics"] as { host: string; port: number };
  return `http://${host}:${port}/metrics`;
}

/** Sum of the samples of a name that have these labels. */
export function sumOf(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((s) => s.name === name && Object.entries(labels).every(([key, value]) => s.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

import type { Told } from "../../mixins/metrics/bridge.ts";
import { quantileOf } from "./desired.ts";

/** What the nodes that run a stage say of it, together. */
export interface StageOfNodes {
  /** Leads that leave it in a second. */
  completed: number;
  /** Mean of what one busy instance completes in a second; null where none ever was busy. */
  mu: number | null;
  inOutage: boolean;
  /** Shares, means over its nodes; null where none has told yet. */
  cpu: number | null;
  memory: number | null;
  /** p95 of a batch in the last minute, seconds; null where there was none. */
  batchP95: number | null;
}

interface Batches {
  at: number;
  count: number;
  buckets: Readonly<Record<string, number>>;
}

interface Node {
  heardAt: number;
  cpuShare: number;
  memoryShare: number | null;
  stages: Map<string, { completed: number; mu: number | null; inOutage: boolean }>;
  /** `stage lane` -> what its histogram said in the last minute, oldest first */
  batches: Map<string, Batches[]>;
}

const batchWindowMs = 60_000;

/** What each node said last: whoever listens hears the same, so that all instances of this service agree. */
export class Nodes {
  readonly #forgetMs: number;
  readonly #nodes = new Map<string, Node>();

  /** @param everyMs how often nodes tell; one that was silent three times is gone */
  constructor(everyMs: number) {
    this.#forgetMs = everyMs * 3 + 1_000;
  }

  take(nodeID: string, told: readonly Told[], now: number): void {
    const known = this.#nodes.get(nodeID);
    const node: Node = known ?? {
      ...{ heardAt: now, cpuShare: 0, memoryShare: null, stages: new Map() },
      batches: new Map(),
    };
    this.#nodes.set(nodeID, node);
    node.heardAt = now;
    const metric = (name: string) => told.find((each) => each.name === name)?.values ?? [];
    const single = (name: string) => metric(name)[0]?.value;
    node.cpuShare = single("leads_process_cpu_cores") ?? 0;
    const [memory, limit] = [single("leads_process_memory_bytes"), single("leads_process_memory_limit_bytes")];
    node.memoryShare = memory !== undefined && limit ? memory / limit : null;
    const stage = (name: string) => {
      const found = node.stages.get(name) ?? { completed: 0, mu: null, inOutage: false };
      node.stages.set(name, found);
      return found;
    };
    for (const { labels, value = 0 } of metric("leads_completed_leads_per_second"))
      stage(labels["stage"]!).completed = value;
    for (const { labels, value = 0 } of metric("leads_busy_leads_per_second")) stage(labels["stage"]!).mu = value;
    for (const each of node.stages.values()) each.inOutage = false;
    for (const { labels, value } of metric("leads_outage")) if (value === 1) stage(labels["stage"]!).inOutage = true;
    for (const { labels, count = 0, buckets = {} } of metric("leads_batch_duration_seconds")) {
      const key = `${labels["stage"]} ${labels["lane"]}`;
      const kept = node.batches.get(key) ?? [];
      // Fewer than before: the node began anew.
      if (count < (kept.at(-1)?.count ?? 0)) kept.length = 0;
      while (kept.length > 1 && kept[1]!.at <= now - batchWindowMs) kept.shift();
      node.batches.set(key, [...kept, { at: now, count, buckets }]);
    }
  }

  /** The stage as its nodes have it now. */
  of(stage: string, now: number): StageOfNodes {
    for (const [id, { heardAt }] of this.#nodes) if (now - heardAt > this.#forgetMs) this.#nodes.delete(id);
    const nodes = [...this.#nodes.values()].filter((node) => node.stages.has(stage));
    const own = nodes.map((node) => node.stages.get(stage)!);
    const mean = (values: readonly number[]) =>
      values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    const told = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
    return {
      completed: own.reduce((sum, { completed }) => sum + completed, 0),
      mu: mean(told(own.map(({ mu }) => mu))),
      inOutage: own.some(({ inOutage }) => inOutage),
      cpu: mean(nodes.map(({ cpuShare }) => cpuShare)),
      memory: mean(told(nodes.map(({ memoryShare }) => memoryShare))),
      batchP95: this.#batchP95(nodes, stage),
    };
  }

  #batchP95(nodes: readonly Node[], stage: string): number | null {
    const buckets = new Map<number, number>();
    let count = 0;
    for (const node of nodes) {
      for (const [key, kept] of node.batches) {
        const [first, last] = [kept[0], kept.at(-1)];
        if (!key.startsWith(`${stage} `) || !first || !last || last === first) continue;
        count += last.count - first.count;
        for (const [bound, upTo] of Object.entries(last.buckets)) {
          const grown = upTo - (first.buckets[bound] ?? 0);
          buckets.set(Number(bound), (buckets.get(Number(bound)) ?? 0) + grown);
        }
      }
    }
    return quantileOf(buckets, count, 0.95);
  }
}

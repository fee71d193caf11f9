import type { Labels } from "../metrics.ts";

/** A metric as Moleculer's registry lists it. */
export interface Told {
  type: string;
  name: string;
  values: readonly {
    labels: Labels;
    value?: number;
    count?: number;
    sum?: number;
    /** Upper bound -> observations up to it, the smaller ones included. */
    buckets?: Readonly<Record<string, number>>;
  }[];
}

/** What a counter grew by. */
export interface Growth {
  name: string;
  labels: Labels;
  by: number;
}

interface Node {
  began: number;
  heardAt: number;
  counts: Map<string, number>;
}

/** Nodes that said nothing for so long are forgotten, ms. One that comes back after it is taken as new. */
const forgottenAfterMs = 3_600_000;
const beganMetric = "leads_process_start_time_seconds";

/**
 * What nodes tell are their counts since they began. A counter of the cluster is the sum of what each of them grew by:
 * a node that began anew (by the time it says it began, whatever its counts) grew from nothing, one that was at work
 * before anybody listened here grew from what it says first: else a service that starts again would count all of the
 * past a second time, as Prometheus sees it. Clocks of hosts must agree better than nodes follow each other.
 */
export class Growths {
  readonly #sinceSeconds: number;
  readonly #nodes = new Map<string, Node>();

  constructor(sinceSeconds: number) {
    this.#sinceSeconds = sinceSeconds;
  }

  /** What the node's counters, and its histograms (as counters of their buckets, sum and count), grew by. */
  take(nodeID: string, told: readonly Told[], now: number): Growth[] {
    for (const [id, { heardAt }] of this.#nodes) if (now - heardAt > forgottenAfterMs) this.#nodes.delete(id);
    const began = told.find(({ name }) => name === beganMetric)?.values[0]?.value;
    if (began === undefined) return [];
    const known = this.#nodes.get(nodeID);
    const isSame = known?.began === began;
    const node: Node = isSame ? known : { began, heardAt: now, counts: new Map() };
    node.heardAt = now;
    this.#nodes.set(nodeID, node);
    const isOld = !known && began < this.#sinceSeconds;
    const grown: Growth[] = [];
    for (const { name, labels, count } of counts(told)) {
      const key = `${name} ${JSON.stringify(labels)}`;
      const by = count - (node.counts.get(key) ?? (isOld ? count : 0));
      node.counts.set(key, count);
      // Also by 0: what is known and has not happened is shown as such.
      grown.push({ name, labels, by: Math.max(0, by) });
    }
    return grown;
  }
}

function* counts(told: readonly Told[]): Generator<{ name: string; labels: Labels; count: number }> {
  for (const { type, name, values } of told) {
    for (const { labels, value = 0, count = 0, sum = 0, buckets = {} } of values) {
      if (type === "counter") yield { name, labels, count: value };
      if (type !== "histogram") continue;
      for (const [le, upTo] of Object.entries(buckets))
        yield { name: `${name}_bucket`, labels: { ...labels, le }, count: upTo };
      yield { name: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, count };
      yield { name: `${name}_sum`, labels, count: sum };
      yield { name: `${name}_count`, labels, count };
    }
  }
}

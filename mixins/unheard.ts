import { type Endpoint, Strategies } from "moleculer";

/** A node that nobody spoke for is tried again after this, ms: it may only have changed its connection. */
const avoidedMs = 2_000;

/** Nodes to which NATS had nobody to give a call: killed, or cut off, and not yet missed by their heartbeats. */
export class Unheard {
  readonly #until = new Map<string, number>();

  add(nodeID: string): void {
    this.#until.set(nodeID, Date.now() + avoidedMs);
  }

  has(nodeID: string): boolean {
    const until = this.#until.get(nodeID);
    if (until === undefined) return false;
    if (until > Date.now()) return true;
    this.#until.delete(nodeID);
    return false;
  }

  get any(): boolean {
    return this.#until.size > 0;
  }
}

/** In turn among those that can be heard of; where none can, among all of them. */
export function turnAmongHeard(unheard: Unheard): typeof Strategies.RoundRobin {
  return class extends Strategies.RoundRobin {
    override select(list: Endpoint[]): Endpoint {
      const heard = unheard.any ? list.filter(({ node }) => !unheard.has(node.id)) : list;
      return super.select(heard.length > 0 ? heard : list);
    }
  };
}

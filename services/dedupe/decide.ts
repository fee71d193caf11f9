/**
 * Which leads are one business, and which of them stays. Pure: links in, clusters out, whatever the order.
 */

/**
 * How far a lead has come, and so how much would be done twice if it lost: `ended` has perhaps been written to, `under
 * way` is in a later mailbox, `arrived` is not yet let through, `stopped` has died on its way and goes on by an operator
 * alone, who may never come: it loses to whoever moves, and wins over nobody.
 */
export const standings = { ended: 0, under_way: 1, arrived: 2, stopped: 3 } as const;
export type Standing = keyof typeof standings;

export interface Member {
  leadId: string;
  standing: Standing;
  /** First acceptance, ms since 1970. */
  acceptedAt: number;
}

/** Two leads that are the same. */
export interface Link {
  a: string;
  b: string;
  /** What speaks for it. */
  kinds: readonly string[];
  /** How much, in bits. */
  weight: number;
}

export interface Cluster<M extends Member> {
  winner: M;
  losers: { member: M /** Kinds of the keys that tie it to the others, sorted. */; kinds: string[] }[];
}

/** Disjoint sets over lead ids, with path halving. */
export class Sets {
  readonly #parent = new Map<string, string>();

  find(id: string): string {
    let at = id;
    for (;;) {
      const up = this.#parent.get(at);
      if (up === undefined) return at;
      const above = this.#parent.get(up);
      if (above === undefined) return up;
      this.#parent.set(at, above);
      at = above;
    }
  }

  join(a: string, b: string): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x !== y) this.#parent.set(y, x);
  }
}

/**
 * Who stays: the one that has come farthest, so that no business is worked on, or written to, twice; then the one that
 * was accepted first; then the smaller id. A negative number when `a` stays.
 */
export function bySeniority(a: Member, b: Member): number {
  return (
    standings[a.standing] - standings[b.standing] ||
    a.acceptedAt - b.acceptedAt ||
    (a.leadId < b.leadId ? -1 : a.leadId > b.leadId ? 1 : 0)
  );
}

/** Two leads that a person has said are not the same. */
export type Apart = readonly [string, string];

/**
 * The clusters of two or more members of which one moves or has ended, and the links that were not followed because they would have joined what is kept
 * apart. The links that say most are followed first: a lead that is the same as each of two that are kept apart goes with
 * the one it resembles more. Links and pairs of ids that are no members are an error of the caller.
 */
export function decide<M extends Member, L extends Link>(
  members: readonly M[],
  links: readonly L[],
  apart: readonly Apart[] = [],
): { clusters: Cluster<M>[]; refused: L[] } {
  const sets = new Sets();
  const foes = new Foes(apart);
  const kinds = new Map<string, Set<string>>();
  const refused: L[] = [];
  for (const link of byWeight(links)) {
    const { a, b } = link;
    const [x, y] = [sets.find(a), sets.find(b)];
    if (x !== y && foes.are(x, y)) {
      refused.push(link);
      continue;
    }
    sets.join(a, b);
    if (x !== y) foes.join(x, y, sets.find(a));
    for (const id of [a, b]) {
      const known = kinds.get(id) ?? new Set();
      for (const kind of link.kinds) known.add(kind);
      kinds.set(id, known);
    }
  }
  const bySet = Map.groupBy(members, (member) => sets.find(member.leadId));
  const clusters = [...bySet.values()]
    .filter((cluster) => cluster.length > 1)
    .map((cluster) => {
      const [winner, ...losers] = cluster.sort(bySeniority);
      return {
        winner: winner!,
        losers: losers.map((member) => ({ member, kinds: [...(kinds.get(member.leadId) ?? [])].sort() })),
      };
    })
    .filter(({ winner }) => winner.standing !== "stopped");
  return { clusters, refused };
}

/** Those that say most first; of equals by their ids, so that no order of the links decides. */
function byWeight<L extends Link>(links: readonly L[]): L[] {
  return links
    .map((link) => ({ link, pair: link.a < link.b ? link.a + link.b : link.b + link.a }))
    .sort((x, y) => y.link.weight - x.link.weight || (x.pair < y.pair ? -1 : 1))
    .map(({ link }) => link);
}

/** Sets that must not become one. */
class Foes {
  readonly #of = new Map<string, Set<string>>();

  constructor(apart: readonly Apart[]) {
    for (const [a, b] of apart) this.#add(a, b);
  }

  are(x: string, y: string): boolean {
    return this.#of.get(x)?.has(y) ?? false;
  }

  /** Sets `x` and `y` are one now, of the name `joined`. */
  join(x: string, y: string, joined: string): void {
    for (const was of [x, y]) {
      if (was === joined) continue;
      for (const foe of this.#of.get(was) ?? []) this.#add(joined, foe);
    }
  }

  #add(a: string, b: string): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = this.#of.get(one) ?? new Set();
      this.#of.set(one, known.add(other));
    }
  }
}

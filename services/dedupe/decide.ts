/**
 * Which leads are one business, and which of them stays. Pure: links in, clusters out, whatever the order.
 */

/**
 * How far a lead has come, and so how much would be done twice if it lost: `ended` has perhaps been written to, `under
 * way` is in a later mailbox, `arrived` is not yet let through.
 */
export const standings = { ended: 0, under_way: 1, arrived: 2 } as const;
export type Standing = keyof typeof standings;

export interface Member {
  leadId: string;
  standing: Standing;
  /** First acceptance, ms since 1970. */
  acceptedAt: number;
}

/** Two leads that share a key. */
export interface Link {
  a: string;
  b: string;
  /** Kind of the key that they share. */
  kind: string;
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

/** The clusters of two or more members. Links to ids that are no members are an error of the caller. */
export function decide<M extends Member>(members: readonly M[], links: readonly Link[]): Cluster<M>[] {
  const sets = new Sets();
  const kinds = new Map<string, Set<string>>();
  for (const { a, b, kind } of links) {
    sets.join(a, b);
    for (const id of [a, b]) {
      const known = kinds.get(id);
      if (known) known.add(kind);
      else kinds.set(id, new Set([kind]));
    }
  }
  const bySet = new Map<string, M[]>();
  for (const member of members) {
    const set = sets.find(member.leadId);
    const cluster = bySet.get(set);
    if (cluster) cluster.push(member);
    else bySet.set(set, [member]);
  }
  return [...bySet.values()]
    .filter((cluster) => cluster.length > 1)
    .map((cluster) => {
      const [winner, ...losers] = cluster.sort(bySeniority);
      return {
        winner: winner!,
        losers: losers.map((member) => ({ member, kinds: [...(kinds.get(member.leadId) ?? [])].sort() })),
      };
    });
}

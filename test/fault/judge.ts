/** What the lists of a row say together, once the mesh is quiet. Pure: each function names what breaks it. */

/** What a fault may cut in two: an e-mail that is being handed over, a call that is being paid. docs/reliability.md */
export type Cuttable = "mails" | "payments";

/** A fault that may have cut something: from its first strike until the mesh had recovered, ms since 1970. */
export interface Cut {
  what: readonly Cuttable[];
  strikes: number;
  from: number;
  to: number;
}

export interface Mail {
  leadId: string;
  messageId: string;
  state: string;
}

export interface Mails {
  rows: readonly Mail[];
  /** What the SMTP server took, each time. */
  received: readonly { messageId: string; to: readonly string[] }[];
  /** Leads that claimed an address and have no e-mail in the outbox. */
  claimedInVain: readonly string[];
  /** Leads that lost a merge: their e-mail may be cancelled. */
  merged: ReadonlySet<string>;
  /** E-mails whose fate the faults of the row may have left unknown. */
  mayBeUnknown: number;
}

/**
 * The outbox against the SMTP server's own list. That server refuses nothing and no address is suppressed, so that every
 * e-mail is sent in the end, but for those of doubles, and those that a fault cut in two.
 */
export function judgeMails({ rows, received, claimedInVain, merged, mayBeUnknown }: Mails) {
  const counts = new Map<string, number>();
  const byAddress = new Map<string, Set<string>>();
  for (const { messageId, to } of received) {
    counts.set(messageId, (counts.get(messageId) ?? 0) + 1);
    for (const address of to) byAddress.set(address, (byAddress.get(address) ?? new Set()).add(messageId));
  }
  const states = new Map(rows.map(({ messageId, state }) => [messageId, state]));
  const doubled = [...counts].filter(([, n]) => n > 1).map(([id, n]) => `e-mail ${id} (${n} times)`);
  for (const [address, ids] of byAddress) if (ids.size > 1) doubled.push(`${ids.size} e-mails to ${address}`);
  for (const id of counts.keys())
    if (!["sending", "sent", "unknown"].includes(states.get(id) ?? "none"))
      doubled.push(`e-mail ${id} was sent and is ${states.get(id) ?? "in no outbox"}`);

  const lost = claimedInVain.map((leadId) => `e-mail of ${leadId}: its address is claimed, and it is not written`);
  for (const { messageId, state, leadId } of rows) {
    if (state === "sent" && !counts.has(messageId)) lost.push(`e-mail ${messageId} is said to be sent`);
    if (state === "cancelled" && !merged.has(leadId)) lost.push(`e-mail ${messageId} is cancelled`);
    if (!["sent", "cancelled", "unknown"].includes(state)) lost.push(`e-mail ${messageId} is ${state} for good`);
  }
  const unknown = rows.filter(({ state }) => state === "unknown");
  if (unknown.length > mayBeUnknown)
    lost.push(`${unknown.length} e-mails are of unknown fate, the fault explains ${mayBeUnknown}`);
  return { lost, doubled, unknown: unknown.length };
}

/** A payment of the ledger: one for each time that an effect was paid. */
export interface Paid {
  effect: string;
  run: number;
  leadId: string;
  /** ms since 1970 */
  reservedAt: number;
  closedAt: number;
}

/** A call as the provider took it. */
export interface Call {
  url: string;
  failure: string;
}

export interface Payments {
  entries: readonly Paid[];
  calls: readonly Call[];
  siteOf(leadId: string): string | undefined;
  cuts: readonly Cut[];
}

/** Answers that cost nothing. */
const free: ReadonlySet<string> = new Set(["401", "402", "429", "429 with Retry-After", "500"]);
/** A good answer. Any other is paid for in vain, and its call is made again. */
const good = "none";

/**
 * The ledger against the provider's own list of the calls that it is paid for, site by site: each of those stands in it. A
 * payment that follows another of the same effect is explained by an answer in vain, or by a fault that
 * struck while the one before was open: once a strike.
 */
export function judgePayments({ entries, calls, siteOf, cuts }: Payments): { doubled: string[]; repeated: number } {
  const paid = calls.filter(({ failure }) => !free.has(failure));
  const vain = Map.groupBy(
    paid.filter(({ failure }) => failure !== good),
    ({ url }) => url,
  );
  const inVain = new Map([...vain].map(([url, all]) => [url, all.length]));
  const booked = Map.groupBy(entries, ({ leadId }) => siteOf(leadId) ?? "");
  const doubled: string[] = [];
  for (const [url, all] of Map.groupBy(paid, ({ url }) => url)) {
    const missing = all.length - (booked.get(url)?.length ?? 0);
    if (missing > 0) doubled.push(`${missing} paid calls for ${url} are in no ledger`);
  }
  let repeated = 0;
  for (const [effect, runs] of Map.groupBy(entries, ({ effect }) => effect)) {
    const before = runs.toSorted((a, b) => a.run - b.run).slice(0, -1);
    const url = siteOf(runs[0]!.leadId) ?? "";
    repeated += before.length;
    let unexplained = 0;
    const cut = new Map<Cut, number>();
    for (const one of before) {
      const left = inVain.get(url) ?? 0;
      if (left > 0) {
        inVain.set(url, left - 1);
        continue;
      }
      const by = cuts.find((c) => one.reservedAt <= c.to && one.closedAt >= c.from && (cut.get(c) ?? 0) < c.strikes);
      if (by) cut.set(by, (cut.get(by) ?? 0) + 1);
      else unexplained++;
    }
    if (unexplained > 0) doubled.push(`${effect} was paid ${runs.length} times, ${unexplained} of them for no reason`);
  }
  return { doubled, repeated };
}

/** A row of a list that tells of the same business as an earlier one, and that one. */
export interface Double {
  id: string;
  of: string;
}

/** Doubles that were not found: they did not end as one lead. `winners`: of each lead that lost a merge. */
export function doublesApart(doubles: readonly Double[], winners: ReadonlyMap<string, string>): string[] {
  const rootOf = (id: string): string => {
    const seen = new Set<string>();
    let at = id;
    for (let next = winners.get(at); next !== undefined && !seen.has(next); next = winners.get(at)) {
      seen.add(next);
      at = next;
    }
    return at;
  };
  return doubles.filter(({ id, of }) => rootOf(id) !== rootOf(of)).map(({ id, of }) => `${id} is a double of ${of}`);
}

/** Answers that are quicker than this are quick enough: a ratio of less says nothing, ms. */
const quickMs = 10;

/** Do answers take more than so many times as long as before? Both at p95, ms. */
export const isSlower = (beforeMs: number, duringMs: number, times: number): boolean =>
  duringMs > times * Math.max(beforeMs, quickMs);

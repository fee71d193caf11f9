/** How stages are, worked out of what their mailboxes hold and what their instances say. */

export interface Lane {
  stage: string;
  lane: string;
  ready: number;
  unacknowledged: number;
  parked: number;
  about: boolean;
  oldestMs: number | null;
  redelivered: number;
  delivered: number;
  paused: Pause | null;
}
export interface Pause {
  by: string;
  reason: string;
  at: number;
}

/** What an instance last said of itself. */
export interface News {
  stage: string;
  nodeID: string;
  state: "working" | "paused" | "outage" | "draining";
  outage: { dependency: string; since: number; message: string } | null;
  inHand: number;
  stats: { forward: number; complete: number; merge: number; reject: number };
  /** ms since 1970, by its own clock */
  at: number;
}

/** What is remembered of an instance. */
export interface Instance {
  news: News;
  /** By the clock of who heard it. */
  heardAt: number;
  /** When it first said that it is as it is now. */
  since: number;
  /** Leads a second that it finished between what it said last and the time before; null after the first word. */
  rate: number | null;
}

export type StageStateName = "working" | "paused" | "outage" | "silent" | "draining" | "absent";

export interface Stage {
  name: string;
  state: StageStateName;
  /** ms since 1970; absent where nobody knows. */
  since?: number;
  why?: string;
  by?: string;
  /** Leads: ready and in hand. */
  backlog: number;
  parked: number;
  about: boolean;
  oldestMs: number | null;
  /** Leads a second. */
  rate: number;
  /** Seconds until the backlog is worked off at this rate; null: never. */
  drainSeconds: number | null;
  instances: { node: string; state: string; since: number; inHand: number }[];
  lanes: Omit<Lane, "stage" | "paused" | "delivered">[];
}

/** An instance tells of itself every five seconds: one that was silent for three times as long has gone. */
export const newsLastMs = 15_000;

/** What is remembered after an instance has spoken. */
export function heard(before: Instance | undefined, news: News, now: number): Instance {
  const done = ({ stats }: News) => stats.forward + stats.complete + stats.merge + stats.reject;
  const same = before?.news.state === news.state;
  const passedMs = before ? news.at - before.news.at : 0;
  const leads = before ? done(news) - done(before.news) : 0;
  // A change is told at once: over a moment a rate is no rate.
  const rate = passedMs >= 1_000 && leads >= 0 ? (leads * 1_000) / passedMs : (before?.rate ?? null);
  return {
    news: before && passedMs < 1_000 ? { ...news, stats: before.news.stats, at: before.news.at } : news,
    heardAt: now,
    since: same ? before!.since : now,
    rate,
  };
}

/** Since when a lane with something in it has been given to nobody; null while it is empty, or moves. */
export interface Standstill {
  delivered: number;
  since: number | null;
}

export function standstill(before: Standstill | undefined, lane: Lane, now: number): Standstill {
  const stands = lane.ready > 0 && lane.unacknowledged === 0;
  const moved = before === undefined || before.delivered !== lane.delivered;
  return { delivered: lane.delivered, since: stands ? (moved ? now : (before.since ?? now)) : null };
}

/** All stages, in the order given. `stillSince`: of each stage's lanes, since when one has stood still. */
export function stagesOf(
  names: readonly string[],
  lanes: readonly Lane[],
  instances: readonly Instance[],
  stillSince: ReadonlyMap<string, number>,
  silentMs: number,
  now: number,
): Stage[] {
  return names.map((name) => {
    const own = lanes.filter(({ stage }) => stage === name);
    const known = instances.filter(({ news, heardAt }) => news.stage === name && now - heardAt <= newsLastMs);
    const sum = (of: (lane: Lane) => number) => own.reduce((total, lane) => total + of(lane), 0);
    const backlog = sum(({ ready, unacknowledged }) => ready + unacknowledged);
    const rate = known.reduce((total, instance) => total + (instance.rate ?? 0), 0);
    const ages = own.flatMap(({ oldestMs }) => (oldestMs === null ? [] : [oldestMs]));
    return {
      name,
      ...stateOf(own, known, stillSince.get(name), silentMs, now),
      backlog,
      parked: sum(({ parked }) => parked),
      about: own.some(({ about }) => about),
      oldestMs: ages.length > 0 ? Math.max(...ages) : null,
      rate: Math.round(rate * 100) / 100,
      drainSeconds: backlog === 0 ? 0 : rate > 0 ? Math.ceil(backlog / rate) : null,
      instances: known.map(({ news, since }) => ({ node: news.nodeID, state: news.state, since, inHand: news.inHand })),
      lanes: own.map(({ stage: _stage, paused: _paused, delivered: _delivered, ...lane }) => lane),
    };
  });
}

/** A pause goes before all; else a stage is as its best instance is. */
function stateOf(
  lanes: readonly Lane[],
  instances: readonly Instance[],
  stillSince: number | undefined,
  silentMs: number,
  now: number,
): Pick<Stage, "state" | "since" | "why" | "by"> {
  const pause = lanes[0]?.paused;
  if (pause) return { state: "paused", since: pause.at, why: pause.reason, by: pause.by };
  if (instances.length === 0) return { state: "absent", why: "no instance of it tells of itself" };
  const stands = stillSince !== undefined && now - stillSince >= silentMs;
  const working = instances.filter(({ news }) => news.state === "working");
  if (working.length > 0)
    return stands
      ? { state: "silent", since: stillSince, why: "leads wait, and no instance is given any" }
      : { state: "working", since: Math.min(...working.map(({ since }) => since)) };
  const down = instances.filter(({ news }) => news.outage !== null);
  if (down.length > 0) {
    const since = Math.min(...down.map(({ news }) => news.outage!.since));
    return { state: "outage", since, why: [...new Set(down.map(({ news }) => news.outage!.message))].join("; ") };
  }
  return { state: "draining", since: Math.min(...instances.map(({ since }) => since)) };
}

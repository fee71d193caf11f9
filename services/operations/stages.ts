/** How stages are, worked out of what their mailboxes hold and what their instances and processes say. */

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
  /** Whose mailboxes it reads: `both`, or one of them. */
  lanes: string;
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

export type StageStateName = "working" | "slow" | "paused" | "outage" | "silent" | "draining" | "absent";

export interface Stage {
  name: string;
  state: StageStateName;
  /** ms since 1970; absent where nobody knows. */
  since?: number;
  why?: string;
  by?: string;
  /** Where it does not work: the section of docs/operate.md that says what to do. */
  runbook?: string;
  /** Leads: ready and in hand. */
  backlog: number;
  parked: number;
  about: boolean;
  oldestMs: number | null;
  /** Leads a second. */
  rate: number;
  /** Seconds until the backlog is worked off at this rate; null: never. */
  drainSeconds: number | null;
  instances: { node: string; state: string; lanes: string; since: number; inHand: number }[];
  lanes: Omit<Lane, "stage" | "paused" | "delivered">[];
}

/** What else is known of the stages, beside their mailboxes and instances. */
export interface Signs {
  /** Stage -> since when one of its lanes has stood still. */
  stillSince: ReadonlyMap<string, number>;
  /** Stage -> since when it has been too slow. */
  slowSince: ReadonlyMap<string, number>;
  /** Nodes whose database pools are used up: since when, and in words. */
  usedUp: readonly { nodeID: string; since: number; text: string }[];
  /** How long a stage may stand still, ms: LEADS_WATCHDOG_MS. */
  silentMs: number;
  /** In what time a lane's backlog should be gone, ms: LEADS_DRAIN_LIVE_MS, LEADS_DRAIN_BULK_MS. */
  goalsMs: Readonly<Record<string, number>>;
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

/** The oldest lead of a lane may be so many times as old as the lane's goal: the alert OldestTooOld says the same. */
export const lateAfterGoals = 6;

/** The lane's oldest lead is far too old, and what is before the stage will not be gone in the time it should. */
export function tooSlow(lane: Lane, rate: number, goalMs: number): boolean {
  return (lane.oldestMs ?? 0) > lateAfterGoals * goalMs && (lane.ready + lane.unacknowledged) * 1_000 > rate * goalMs;
}

/** The stage's instances that are still there. */
export function instancesOf(stage: string, instances: readonly Instance[], now: number): Instance[] {
  return instances.filter(({ news, heardAt }) => news.stage === stage && now - heardAt <= newsLastMs);
}

/** Leads a second that they finish together. */
export function rateOf(instances: readonly Instance[]): number {
  return instances.reduce((total, { rate }) => total + (rate ?? 0), 0);
}

/** All stages, in the order given. */
export function stagesOf(
  names: readonly string[],
  lanes: readonly Lane[],
  instances: readonly Instance[],
  signs: Signs,
  now: number,
): Stage[] {
  return names.map((name) => {
    const own = lanes.filter(({ stage }) => stage === name);
    const known = instancesOf(name, instances, now);
    const sum = (of: (lane: Lane) => number) => own.reduce((total, lane) => total + of(lane), 0);
    const backlog = sum(({ ready, unacknowledged }) => ready + unacknowledged);
    const rate = rateOf(known);
    const ages = own.flatMap(({ oldestMs }) => (oldestMs === null ? [] : [oldestMs]));
    return {
      name,
      ...stateOf(name, own, known, signs, now),
      backlog,
      parked: sum(({ parked }) => parked),
      about: own.some(({ about }) => about),
      oldestMs: ages.length > 0 ? Math.max(...ages) : null,
      rate: Math.round(rate * 100) / 100,
      drainSeconds: backlog === 0 ? 0 : rate > 0 ? Math.ceil(backlog / rate) : null,
      instances: known.map(({ news: { nodeID: node, state, lanes, inHand }, since }) => {
        return { node, state, lanes, since, inHand };
      }),
      lanes: own.map(({ stage: _stage, paused: _paused, delivered: _delivered, ...lane }) => lane),
    };
  });
}

/** A pause goes before all; else a stage is as its best instance is. */
function stateOf(
  name: string,
  lanes: readonly Lane[],
  instances: readonly Instance[],
  { stillSince, slowSince, usedUp, silentMs, goalsMs }: Signs,
  now: number,
): Pick<Stage, "state" | "since" | "why" | "by" | "runbook"> {
  const pause = lanes[0]?.paused;
  if (pause) return { state: "paused", since: pause.at, why: pause.reason, by: pause.by, runbook: "StagePaused" };
  if (instances.length === 0)
    return { state: "absent", why: "no instance of it tells of itself", runbook: "StageSilent" };
  const poolOf = ({ news }: Instance) => usedUp.find(({ nodeID }) => nodeID === news.nodeID);
  const down = instances.flatMap((instance) => {
    const { outage, nodeID } = instance.news;
    const pool = poolOf(instance);
    if (pool) {
      const message = [outage?.message, `${pool.text} (${nodeID})`].filter(Boolean).join("; ");
      return [{ since: outage?.since ?? pool.since, message }];
    }
    return outage === null ? [] : [outage];
  });
  const working = instances.filter((instance) => instance.news.state === "working" && !poolOf(instance));
  if (working.length === 0 && down.length > 0) {
    const since = Math.min(...down.map((each) => each.since));
    const why = [...new Set(down.map(({ message }) => message))].join("; ");
    return { state: "outage", since, why, runbook: instances.some(poolOf) ? "PoolUsedUp" : "StageInOutage" };
  }
  if (working.length === 0) {
    const since = Math.min(...instances.map((instance) => instance.since));
    return { state: "draining", since, why: "its last instance leaves", runbook: "StageSilent" };
  }
  const still = stillSince.get(name);
  if (still !== undefined && now - still >= silentMs)
    return { state: "silent", since: still, why: "leads wait, and no instance is given any", runbook: "StageSilent" };
  const slow = slowSince.get(name);
  if (slow !== undefined) {
    const why = slowText(lanes, rateOf(instances), goalsMs);
    return { state: "slow", since: slow, why, runbook: "OldestTooOld" };
  }
  return { state: "working", since: Math.min(...working.map(({ since }) => since)) };
}

function slowText(lanes: readonly Lane[], rate: number, goalsMs: Signs["goalsMs"]): string {
  const late = lanes.filter((lane) => tooSlow(lane, rate, goalsMs[lane.lane] ?? 0));
  const ages = late.map(({ lane, oldestMs }) => {
    const [age, goal] = [(oldestMs ?? 0) / 1_000, (goalsMs[lane] ?? 0) / 1_000];
    return `its oldest ${lane} lead has waited for ${Math.round(age)} s, where ${goal} s are the goal`;
  });
  const rates = `it does ${Math.round(rate * 100) / 100} leads a second`;
  return `too slow for what comes: ${[...ages, rates].join("; ")}`;
}

/** What one look at the mesh found. */
export interface Check {
  ok: boolean;
  detail?: string;
}

/** A stage as its instances last said, event `stage.state`. */
export interface StageNews {
  stage: string;
  nodeID: string;
  state: string;
  /** ms since 1970, by the clock of who heard it */
  heardAt: number;
}

export interface Readiness {
  status: "ready" | "degraded" | "unready";
  degraded: string[];
  checks: Record<string, Check>;
  stages: Record<string, { state: string; instances: number }>;
}

/** Instances tell themselves every five seconds: one that was silent for three times as long has gone. */
export const newsLastMs = 15_000;

/**
 * Ready when leads can be taken and all behind works; degraded when leads can be taken but something behind is down:
 * they wait in their mailboxes; unready when one of `needed` fails. A stage is as its best instance is.
 */
export function readiness(
  checks: Record<string, Check>,
  needed: readonly string[],
  flow: readonly string[],
  news: Iterable<StageNews>,
  paused: ReadonlySet<string>,
  now: number,
): Readiness {
  const stages: Readiness["stages"] = Object.fromEntries(
    flow.map((stage) => [stage, { state: "absent", instances: 0 }]),
  );
  const order = ["absent", "draining", "outage", "paused", "working"];
  for (const { stage, state, heardAt } of news) {
    const known = stages[stage];
    if (!known || now - heardAt > newsLastMs) continue;
    known.instances++;
    if (order.indexOf(state) > order.indexOf(known.state)) known.state = state;
  }
  for (const stage of paused) if (stages[stage]) stages[stage].state = "paused";
  const failing = Object.keys(checks).filter((name) => !checks[name]!.ok);
  const idle = flow.filter((stage) => stages[stage]!.state !== "working").map((stage) => `stage ${stage}`);
  const degraded = [...failing, ...idle];
  const status = failing.some((name) => needed.includes(name)) ? "unready" : degraded.length > 0 ? "degraded" : "ready";
  return { status, degraded, checks, stages };
}

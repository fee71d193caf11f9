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
  outage: { dependency: string } | null;
  /** ms since 1970, by the clock of who heard it */
  heardAt: number;
}

/** A stage as the service `operations` sees it, which looks into its mailbox too. */
export interface StageSeen {
  name: string;
  state: string;
  since?: number;
}

interface StageReadiness {
  state: string;
  instances: number;
  since?: number;
  /** Of an outage: what is down. */
  waitsFor?: string;
}

export interface Readiness {
  status: "ready" | "degraded" | "unready";
  degraded: string[];
  checks: Record<string, Check>;
  stages: Record<string, StageReadiness>;
}

/** Instances tell themselves every five seconds: one that was silent for three times as long has gone. */
export const newsLastMs = 15_000;

/**
 * Ready when leads can be taken and all behind works; degraded when leads can be taken but something behind is down:
 * they wait in their mailboxes; unready when one of `needed` fails. A stage is as its best instance is, and, where they
 * say that they work, as it was `seen`: an instance that is given nothing, or too slow, does not know.
 */
export function readiness(
  checks: Record<string, Check>,
  needed: readonly string[],
  flow: readonly string[],
  news: Iterable<StageNews>,
  paused: ReadonlySet<string>,
  seen: readonly StageSeen[],
  now: number,
): Readiness {
  const stages: Readiness["stages"] = Object.fromEntries(
    flow.map((stage) => [stage, { state: "absent", instances: 0 }]),
  );
  const order = ["absent", "draining", "outage", "paused", "working"];
  for (const { stage, state, outage, heardAt } of news) {
    const known = stages[stage];
    if (!known || now - heardAt > newsLastMs) continue;
    known.instances++;
    if (order.indexOf(state) <= order.indexOf(known.state)) continue;
    known.state = state;
    delete known.waitsFor;
    if (state === "outage" && outage) known.waitsFor = outage.dependency;
  }
  for (const stage of paused) if (stages[stage]) stages[stage].state = "paused";
  for (const { name, state, since } of seen) {
    const known = stages[name];
    if (known?.state === "working" && ["silent", "slow", "outage"].includes(state)) known.state = state;
    if (known?.state === state && since !== undefined) known.since = since;
  }
  const failing = Object.keys(checks).filter((name) => !checks[name]!.ok);
  const idle = flow.filter((stage) => stages[stage]!.state !== "working").map((stage) => `stage ${stage}`);
  const degraded = [...failing, ...idle];
  const status = failing.some((name) => needed.includes(name)) ? "unready" : degraded.length > 0 ? "degraded" : "ready";
  return { status, degraded, checks, stages };
}

import { pausedStages } from "../../mixins/control.ts";
import { jsApi } from "../../mixins/jetstream.ts";
import { poolText, type UsedUp } from "../../mixins/pool-watch.ts";
import type { Resources } from "../../mixins/resources.ts";
import type { Check, StageSeen } from "./readiness.ts";

/** What must work for leads to be taken in; the rest is looked at and told. */
export const needed = ["nats", "jetstream", "mailbox", "keys"] as const;

/** A look that takes longer than this has failed, ms. */
const patienceMs = 1_000;

export interface Looks {
  checks: Record<string, Check>;
  paused: Set<string>;
  /** Empty where nobody looks, or nobody answers in time. */
  seen: readonly StageSeen[];
}

/** What the gateway itself knows. */
export interface EdgeFacts {
  keysRead: boolean;
  rateShared: boolean;
  usedUp: readonly UsedUp[];
  /** Asks the service `operations` how the stages are. */
  stages(timeoutMs: number): Promise<readonly StageSeen[]>;
}

/** Looks at everything that the gateway or the stages stand on, all at once. Never throws, takes a second at the most. */
export async function look(resources: Resources, edge: EdgeFacts): Promise<Looks> {
  const { names, settings, flow, databases } = resources;
  const paused = new Set<string>();
  const connected = resources.nats();
  const stagesSeen = edge.stages(patienceMs).catch(() => []);
  const looks: Record<string, Promise<string | undefined>> = {
    nats: connected.then(async (nc) => void (await nc.rtt())),
    jetstream: connected.then(async (nc) => void (await jsApi(nc, "INFO", {}, patienceMs))),
    mailbox: connected.then(async (nc) => {
      const { stream, subject } = names.mailbox(flow[0]!.name);
      const { state, config } = await jsApi(
        nc,
        `STREAM.INFO.${stream}`,
        { subjects_filter: subject("live") },
        patienceMs,
      );
      await jsApi(nc, `STREAM.INFO.${names.accepted.stream}`, {}, patienceMs);
      const waiting: number = state.subjects?.[subject("live")] ?? 0;
      if (config.max_msgs_per_subject > 0 && waiting >= config.max_msgs_per_subject)
        throw new Error("the mailbox is full");
      return undefined;
    }),
    keys: edge.keysRead ? Promise.resolve(undefined) : Promise.reject(new Error("the API keys have not been read")),
    stages: connected.then(async (nc) => {
      for (const stage of Object.keys(await pausedStages(nc, names))) paused.add(stage);
      return undefined;
    }),
    postgres: databases.ping().then(() => undefined),
    pool: edge.usedUp.length === 0 ? Promise.resolve(undefined) : Promise.reject(new Error(poolsText(edge.usedUp))),
    // No fault of the mesh, and nothing waits behind one: but nobody deals with it unless told.
    deadLetters: connected.then(async (nc) => {
      const { state } = await jsApi(nc, `STREAM.INFO.${names.dead.stream}`, { subjects_filter: names.dead.all });
      return deadText(state.subjects ?? {});
    }),
    redis:
      settings.redisUrl === ""
        ? Promise.resolve("none is configured: rates are limited by each gateway for itself")
        : edge.rateShared
          ? Promise.resolve(undefined)
          : Promise.reject(new Error("rates are limited by each gateway for itself")),
  };
  const checks: Record<string, Check> = {};
  await Promise.all(
    Object.entries(looks).map(async ([name, looked]) => {
      checks[name] = await withinPatience(looked).then(
        (detail) => (detail === undefined ? { ok: true } : { ok: true, detail }),
        // Its own words may name hosts and addresses, and anybody may ask: the log has them.
        (error: Error) => ({
          ok: false,
          detail: /^(the|rates|no answer)\b/.test(error.message) ? error.message : "does not answer",
        }),
      );
    }),
  );
  // Written to the record by its own checks: the order of the answer is that of the table above.
  const inOrder = Object.fromEntries(Object.keys(looks).map((name) => [name, checks[name]!]));
  return { checks: inOrder, paused, seen: await stagesSeen };
}

/** Of the longest wait; which processes it is `GET /v1/stages` says, to whom may know. */
function poolsText(usedUp: readonly UsedUp[]): string {
  const longest = usedUp.reduce((a, b) => (b.since < a.since ? b : a));
  const processes = usedUp.length === 1 ? "one process" : `${usedUp.length} processes`;
  return `${poolText(longest, Date.now())}, in ${processes}`;
}

/** `2 wait for an operator: score 1, mockup 1`; undefined where there is none. By subjects, which end in stage and tenant. */
function deadText(subjects: Record<string, number>): string | undefined {
  const byStage = new Map<string, number>();
  for (const [subject, count] of Object.entries(subjects)) {
    const stage = subject.split(".").at(-2)!;
    byStage.set(stage, (byStage.get(stage) ?? 0) + count);
  }
  if (byStage.size === 0) return undefined;
  const total = [...byStage.values()].reduce((sum, count) => sum + count, 0);
  return `${total} wait for an operator: ${[...byStage].map(([stage, count]) => `${stage} ${count}`).join(", ")}`;
}

function withinPatience<T>(promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}
